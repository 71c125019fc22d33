"""Progress in a terminal, in a notebook's cell, and as lines."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from distkeras.history import Progress
from distkeras.job_deployment.watching import watch
from distkeras.progress_bar import console_bar, progress_bar

CELL = """
from distkeras.history import Progress
from distkeras.progress_bar import progress_bar

with progress_bar("<b>night</b>") as tell:
    tell(Progress("check"))
    tell(Progress("train", 5, 10, 0.25))
"""


def test_elsewhere_there_is_a_line_for_what_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("telescope") as tell:
        tell(Progress("check"))
        for rows in range(1, 100):
            tell(Progress("train", rows, 200, 0.25, 12.0))
    assert capsys.readouterr().err.splitlines() == [
        "telescope: training: looking at the rows",
        "telescope: 0%, 12 samples/s, loss 0.2500",
    ]


def test_a_job_is_shown_in_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"name": "lr 0.1", "state": "running", "cancelling": False}
    now = {"phase": "train", "rows": 5, "total": 10, "loss": 0.25, "epoch": 1, "epochs": 2}
    now |= {"samples_per_second": 12.0, "seconds_left": None}
    assert watch([told, told | {"progress": now}, told | {"state": "failed"}])["state"] == "failed"
    assert capsys.readouterr().err.splitlines() == ["lr 0.1: running", "lr 0.1: failed"]


@pytest.mark.parametrize("name", ["lr [/b]", "lr [red]0.1"])
def test_what_something_is_called_is_shown_as_it_is(name: str) -> None:
    shown = io.StringIO()
    with console_bar(shown) as bar:
        bar.add_task(name, total=None, text=name)
    assert shown.getvalue().count(name) == 2


def test_a_notebooks_cell_has_one_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a real kernel, which has no widgets."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    (output,) = notebook.cells[0].outputs
    shown = output.data["text/html"]
    assert "<progress max='10' value='5'></progress>" in shown
    assert shown.startswith("&lt;b&gt;night")
    assert "loss 0.2500" in shown
