"""Executes examples/workflow.ipynb, and keeps what belongs into the repository of it.

make notebook
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

__all__ = ["WORKFLOW", "executed", "tidy"]

WORKFLOW = Path(__file__).parent.parent / "examples" / "workflow.ipynb"
#: Seconds that one cell may take: the one that trains with each trainer takes a minute.
CELL_SECONDS = 900
#: Seconds that its kernel may take to start.
START_SECONDS = 120
#: What a viewer needs to know of the kernel; versions and paths are of one machine.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def executed(path: Path) -> NotebookNode:
    """The notebook with the outputs of all cells, run from top to bottom in its own folder.

    The kernel is a new process of this Python, and has ended when this returns.

    Args:
        path: of the notebook, which stays as it is.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised.
        nbclient.exceptions.CellTimeoutError: a cell took more than ``CELL_SECONDS``.
        RuntimeError: the kernel did not start in ``START_SECONDS``.
    """
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    waits = {"timeout": CELL_SECONDS, "startup_timeout": START_SECONDS}
    return NotebookClient(notebook, resources=where, **waits).execute()


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Without what differs from machine to machine, or from one editor to the next; in place."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        for part in (cell, *cell.get("outputs", ())):
            if "metadata" in part:
                part.metadata = NotebookNode()
    return notebook


def main() -> None:
    """Executes and writes the notebook."""
    nbformat.write(tidy(executed(WORKFLOW)), WORKFLOW)


if __name__ == "__main__":
    main()
