"""How far a job is, in a file that is small however long it takes."""

from __future__ import annotations

import time
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any

from distkeras.history import Progress
from distkeras.punchcard.launcher import write_whole

__all__ = ["ProgressFile"]

#: Points of the loss curve that are kept; every second one gives way when there are more.
POINTS = 400


class ProgressFile:
    """Takes a trainer's ``on_progress``.

    Args:
        path: of the file, which is replaced each time.
        epochs: that the training has.
    """

    def __init__(self, path: Path, epochs: int) -> None:
        self._path, self._epochs = path, epochs
        self._curve: list[tuple[int, float]] = []
        self._every, self._calls = 1, 0
        self._last: Progress | None = None

    def write(self, now: Progress) -> None:
        """Writes phase, epoch, rows, loss, samples/s, seconds left, and the curve of the loss."""
        self._add(now)
        self._last = now
        # A training does not end because nobody can be told how far it is.
        with suppress(OSError):
            write_whole(self._path, self.told(now), durable=False)

    def finish(self) -> None:
        """The training has ended; what was learned is being saved."""
        if self._last is not None:
            self.write(self._last._replace(phase="finish", rows=self._last.total))

    def told(self, now: Progress) -> dict[str, Any]:
        """What is written; a number that is not known is None."""
        done = now.rows * self._epochs // now.total if now.total else 0
        return {
            "phase": now.phase,
            "epoch": min(done + 1, self._epochs),
            "epochs": self._epochs,
            "rows": now.rows,
            "total": now.total,
            "loss": _known(now.loss),
            "samples_per_second": round(now.samples_per_second, 1),
            "seconds_left": _known(now.seconds_left),
            "at": time.time(),
            "curve": self._curve,
        }

    def _add(self, now: Progress) -> None:
        if now.phase != "train" or not isfinite(now.loss):
            return
        if self._calls % self._every == 0:
            self._curve.append((now.rows, round(now.loss, 6)))
        self._calls += 1
        if len(self._curve) > POINTS:
            self._curve = self._curve[::2]
            self._every *= 2


def _known(value: float) -> float | None:
    return value if isfinite(value) else None
