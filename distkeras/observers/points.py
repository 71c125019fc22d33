"""A training's history as curves: what is shown of it, at which step, how dense."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from distkeras.conversation import Record
from distkeras.stopping import Validated

__all__ = ["CENTER", "Curves", "Point", "described", "measured"]

#: The run of what all workers do together.
CENTER = "center"
#: A training is shown in about so many points, and in so many again each time that it has become
#: e times as long.
POINTS = 1000
#: What there is beside the model's metrics.
MEANINGS = {
    "staleness": "Updates of others that a window was trained without: mean of the windows.",
    "exchange_wait": "Seconds that a worker stood still for its exchange before a window: mean.",
    "samples_per_second": "Rows merged per second.",
}


class Point(NamedTuple):
    """What happened in a run between two moments.

    Attributes:
        run: "center", or "worker-3".
        step: rows merged into the center by then, by all workers; a row counts once each epoch.
        time: when the last of it was merged, seconds since 1970; in a simulation virtual ones.
        values: by name.
    """

    run: str
    step: int
    time: float
    values: dict[str, float]


def described(name: str) -> str:
    """What a measure is, in a sentence with its unit."""
    if name.startswith("val_"):
        return f"Of the center on the validation rows: {name.removeprefix('val_')}."
    return MEANINGS.get(name, "Of the training: mean over the rows of the windows.")


def measured(validations: Sequence[Validated]) -> Iterator[Point]:
    """The points of the center's measures on other rows."""
    for one in validations:
        yield Point(CENTER, one.rows, one.timestamp, dict(one.measures))


class Curves:
    """Makes points of the windows of one training.

    A point is the mean of the windows that were merged within a while: ``finest`` seconds, or a
    thousandth of the time since the first window if that is longer. A window that takes longer is
    a point of its own. So no window is left out, and a night has a few thousand points.

    Args:
        metrics: the names of a window's metrics, the loss first.
        finest: seconds.
        rows: rows merged before the first window.
    """

    def __init__(self, metrics: Sequence[str], finest: float, rows: int = 0) -> None:
        self._metrics, self._finest, self._rows = tuple(metrics), finest, rows
        self._curves: dict[str, _Curve] = {}
        self._last: dict[int, Record] = {}
        self._began = math.inf

    def windows(self, records: Sequence[Record]) -> Iterator[Point]:
        """The points that end before one of these windows, which are the next to be merged."""
        for record in records:
            self._rows += record.samples
            self._began = min(self._began, record.timestamp)
            before = self._last.get(record.worker)
            self._last[record.worker] = record
            # How long a worker waits for its answer it tells with its next window.
            wait = math.nan if before is None else before.exchange_wait
            for run in (CENTER, f"worker-{record.worker}"):
                yield from self._ended(run, record.timestamp)
                curve = self._curves.setdefault(run, _Curve(run))
                curve.add(record, wait, self._rows)

    def due(self, now: float) -> Iterator[Point]:
        """The points that no window after this time belongs to; after infinity, all."""
        for run in self._curves:
            yield from self._ended(run, now)

    def _ended(self, run: str, now: float) -> Iterator[Point]:
        curve = self._curves.get(run)
        if curve is None or not curve.windows:
            return
        if now == math.inf or now - curve.since >= max(self._finest, (now - self._began) / POINTS):
            # Workers come one after the other: the rate of all needs a window of each.
            windows = len(self._last) if run == CENTER else 1
            yield curve.point(self._metrics, windows, self._finest)


class _Curve:
    """One run: the windows since its last point."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._windows: list[tuple[Record, float]] = []
        self._step = 0
        # Windows and rows since the rate was last known, and since when that is.
        self._unrated, self._rows, self._rated = 0, 0, math.nan

    @property
    def windows(self) -> int:
        """That are in no point yet."""
        return len(self._windows)

    @property
    def since(self) -> float:
        """When the first of them was merged."""
        return self._windows[0][0].timestamp

    def add(self, record: Record, wait: float, step: int) -> None:
        """Another window, with the seconds that its worker waited before it."""
        self._windows.append((record, wait))
        self._step = step
        if math.isnan(self._rated):
            # Nobody knows when the first one was begun.
            self._rated = record.timestamp
        else:
            self._unrated, self._rows = self._unrated + 1, self._rows + record.samples

    def point(self, metrics: Sequence[str], windows: int, seconds: float) -> Point:
        """The point of them all.

        Args:
            metrics: their names.
            windows: that a rate needs at least.
            seconds: likewise.
        """
        records, waits = zip(*self._windows, strict=True)
        self._windows = []
        rows = [record.samples for record in records]
        means = np.average([record.metrics for record in records], axis=0, weights=rows)
        values = dict(zip(metrics, map(float, means), strict=True))
        values["staleness"] = float(np.mean([record.staleness for record in records]))
        if known := [wait for wait in waits if not math.isnan(wait)]:
            values["exchange_wait"] = float(np.mean(known))
        now = records[-1].timestamp
        if self._unrated >= windows and now - self._rated >= seconds:
            values["samples_per_second"] = self._rows / (now - self._rated)
            self._unrated, self._rows, self._rated = 0, 0, now
        return Point(self._run, self._step, now, values)
