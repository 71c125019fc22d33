"""How far a task is: a bar in a terminal, a line now and then elsewhere, luigi's visualiser."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TextIO

from distkeras.progress_bar import LINE_SECONDS, console_bar
from distkeras.progress_lines import describe

if TYPE_CHECKING:
    import rich.progress

    from distkeras.history import Progress

__all__ = ["Reporter", "reporting"]

# Seconds between two messages to luigi's scheduler.
MESSAGE_SECONDS = 1.0


class Reporter:
    """Passes a task's progress on to luigi's scheduler and to the console.

    Args:
        task: the luigi task; its ``set_...`` functions reach the visualiser while it runs.
        stream: where lines go.
        bar: the terminal's bar; without one, plain lines are written.
        clock: seconds from any fixed moment.
    """

    def __init__(
        self,
        task: Any,
        stream: TextIO,
        bar: rich.progress.Progress | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.task, self.stream, self.bar, self.clock = task, stream, bar, clock
        self.name = str(task.task_family)
        self.last_line = self.last_message = -math.inf
        self.row = bar.add_task(self.name, total=None, text="") if bar else None
        #: Seconds that each ended phase took.
        self.seconds: dict[str, float] = {}
        self._phase, self._since = "", clock()

    def phase(self, text: str) -> None:
        """The task begins with the next thing, whose length is not known."""
        self.end_phase()
        self._phase = text
        self.task.set_status_message(text)
        if self.bar is not None and self.row is not None:
            self.bar.update(self.row, total=None, text=text)
        else:
            self._line(text)

    def end_phase(self, parts: Mapping[str, float] | None = None) -> None:
        """Notes how long the phase took.

        Args:
            parts: the phase in more detail, in seconds.
        """
        passed, self._since = self.clock() - self._since, self.clock()
        if self._phase:
            found = {f"{self._phase}: {name}": spent for name, spent in (parts or {}).items()}
            for name, spent in (found or {self._phase: passed}).items():
                self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 3)
        self._phase = ""

    def tracking(self, url: str | None) -> None:
        """The address where the work can be watched: Spark's UI."""
        if url:
            self.task.set_tracking_url(url)

    def training(self, now: Progress) -> None:
        """A trainer's ``on_progress``."""
        share = now.rows / now.total if now.total else 0.0
        self._tell_scheduler(share, describe(now))
        if self.bar is not None and self.row is not None:
            total = now.total if now.phase == "train" else None
            self.bar.update(self.row, completed=now.rows, total=total, text=describe(now))
        elif now.phase == "train" and self.clock() - self.last_line >= LINE_SECONDS:
            self._line(f"{share:.0%}, {describe(now)}")

    def _tell_scheduler(self, share: float, text: str) -> None:
        # Each message is a request to the central scheduler.
        if self.clock() - self.last_message < MESSAGE_SECONDS and share < 1:
            return
        self.last_message = self.clock()
        self.task.set_status_message(text)
        self.task.set_progress_percentage(int(100 * share))

    def _line(self, text: str) -> None:
        self.last_line = self.clock()
        print(f"{self.name}: {text}", file=self.stream, flush=True)


@contextmanager
def reporting(task: Any) -> Iterator[Reporter]:
    """A reporter for one run of a task, on the standard error stream."""
    console = sys.stderr
    bar = console_bar() if console.isatty() else None
    with bar if bar is not None else nullcontext(), _log_above_the_bar(console):
        yield Reporter(task, sys.stderr, bar)


@contextmanager
def _log_above_the_bar(console: TextIO) -> Iterator[None]:
    """Has luigi's log written to what stands for the console now: a bar prints above itself."""
    logged = [
        handler
        for handler in logging.getLogger("luigi-interface").handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is console
    ]
    for handler in logged:
        handler.setStream(sys.stderr)
    try:
        yield
    finally:
        for handler in logged:
            handler.setStream(console)
