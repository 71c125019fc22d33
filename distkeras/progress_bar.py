"""A bar in a terminal, one in a notebook, and a line now and then elsewhere."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from distkeras.progress_lines import describe

if TYPE_CHECKING:
    import rich.progress

    from distkeras.history import Progress

__all__ = ["Standing", "console_bar", "progress_bar", "standings"]

#: Seconds between two lines where there is no bar.
LINE_SECONDS = 10.0


class Standing(NamedTuple):
    """What a bar shows.

    Attributes:
        name: of what goes on.
        done: of ``total``.
        total: None while nobody knows.
        text: beside the bar.
        stage: a line is written when it changes.
    """

    name: str
    done: float
    total: float | None
    text: str
    stage: str


@contextmanager
def progress_bar(name: str = "training") -> Iterator[Callable[[Progress], None]]:
    """Shows how far a training is, on the standard error stream or in the notebook's cell.

    ``with progress_bar() as trainer.on_progress: trainer.train(df)``

    Args:
        name: what stands before the bar.

    Returns:
        What a trainer's ``on_progress`` can be.
    """
    with standings() as show:

        def tell(now: Progress) -> None:
            total = now.total if now.phase == "train" else None
            show(Standing(name, now.rows, total, describe(now), now.phase))

        yield tell


@contextmanager
def standings() -> Iterator[Callable[[Standing], None]]:
    """What shows one standing after the other in the same place."""
    if in_notebook():
        yield _Cell().show
    elif sys.stderr.isatty():
        with console_bar(sys.stderr) as bar:
            row = bar.add_task("", total=None, text="")
            yield lambda now: bar.update(
                row, description=now.name, completed=now.done, total=now.total, text=now.text
            )
    else:
        yield _Lines(sys.stderr).show


def in_notebook() -> bool:
    """Whether this is a cell, whose output can be replaced."""
    # Who runs in one has imported it.
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    # By name, as its module is only there in a notebook; Colab's is derived from it.
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


def console_bar(stream: TextIO | None = None) -> rich.progress.Progress:
    """A bar for a terminal; its tasks have a field ``text``.

    Args:
        stream: the terminal; None: whatever the standard error stream is when something is shown.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    # A job may be called anything, "[/b]" for one: its name is text, and no markup of rich's.
    columns = (
        TextColumn("{task.description:<10}", markup=False),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}", markup=False),
    )
    return Progress(*columns, console=Console(file=stream or sys.stderr))


class _Cell:
    """A bar of HTML: rich's needs ipywidgets, which a notebook need not have."""

    def __init__(self) -> None:
        self._display: Any = None
        self._began = time.monotonic()

    def show(self, now: Standing) -> None:
        from IPython.display import HTML, display

        shown = HTML(_markup(now, time.monotonic() - self._began))
        if self._display is None:
            self._display = display(shown, display_id=True)
        else:
            self._display.update(shown)


def _markup(now: Standing, seconds: float) -> str:
    known = f" max='{now.total:g}' value='{min(now.done, now.total):g}'" if now.total else ""
    minutes, rest = divmod(int(seconds), 60)
    name, text = html.escape(now.name), html.escape(now.text)
    return f"{name} <progress{known}></progress> {minutes}:{rest:02} {text}"


class _Lines:
    """A line when something new begins, and every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._stage, self._last = stream, "", 0.0

    def show(self, now: Standing) -> None:
        if now.stage == self._stage and time.monotonic() - self._last < LINE_SECONDS:
            return
        self._stage, self._last = now.stage, time.monotonic()
        share = f"{now.done / now.total:.0%}, " if now.total else ""
        print(f"{now.name}: {share}{now.text}", file=self._stream, flush=True)
