"""A training's history as curves that a page can draw: arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

__all__ = ["Course", "Curve", "Line", "convergence", "course", "measures"]

# What a history says of a window beside the loss and the metrics.
_ABOUT = {"worker", "epoch", "window", "samples", "staleness", "exchange_wait", "timestamp"}
_POINTS = 60
_WORKER_POINTS = 150
_MOST_WORKERS = 24


@dataclass(frozen=True)
class Line:
    """Points of one line, shape (points,) both.

    Attributes:
        samples: rows merged so far, by all workers together.
        values: the mean of the windows around that point, weighted by their rows.
    """

    samples: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Curve:
    """How one measure went.

    Attributes:
        name: "loss" or a metric.
        mean: over all workers.
        workers: one line each; at most 24 of them, evenly chosen.
        number: how many workers there were.
    """

    name: str
    mean: Line
    workers: list[Line]
    number: int


@dataclass(frozen=True)
class Course:
    """How one measure went against work and against time, shape (points,) each.

    Attributes:
        samples: rows merged so far, by all workers together.
        seconds: since the first window was merged.
        values: the mean of the windows around that point, weighted by their rows.
    """

    samples: np.ndarray
    seconds: np.ndarray
    values: np.ndarray


def measures(history: pa.Table) -> list[str]:
    """The loss and the metrics that a history has, the loss first.

    Args:
        history: as ``History.to_arrow`` gives it.
    """
    names = [name for name in history.column_names if name not in _ABOUT]
    return sorted(names, key=lambda name: name != "loss")


def convergence(history: pa.Table, name: str) -> Curve | None:
    """A measure against the samples merged, in the order in which they were merged.

    Args:
        history: as ``History.to_arrow`` gives it.
        name: "loss" or a metric.

    Returns:
        None for a history without a finite value of that measure.
    """
    history = _as_merged(history)
    rows, values = (history[column].to_numpy().astype(float) for column in ("samples", name))
    worker = history["worker"].to_numpy()
    merged, fine = np.cumsum(rows), np.isfinite(values)
    if not fine.any():
        return None
    numbers = np.unique(worker)
    shown = numbers[np.unique(np.linspace(0, len(numbers) - 1, _MOST_WORKERS).round().astype(int))]
    lines = []
    for number in shown:
        own = fine & (worker == number)
        if own.any():
            lines.append(_line(merged[own], rows[own], values[own], merged[-1], _WORKER_POINTS))
    mean = _line(merged[fine], rows[fine], values[fine], merged[-1], _POINTS)
    return Curve(name, mean, lines, len(numbers))


def course(history: pa.Table, name: str) -> Course | None:
    """The mean over all workers, with the time of each of its points.

    Args:
        history: as ``History.to_arrow`` gives it.
        name: "loss" or a metric.

    Returns:
        None for a history without a finite value of that measure.
    """
    if not history.num_rows or name not in history.column_names:
        return None
    history = _as_merged(history)
    rows, values = (history[column].to_numpy().astype(float) for column in ("samples", name))
    times = history["timestamp"].to_numpy()
    merged, fine = np.cumsum(rows), np.isfinite(values)
    if not fine.any():
        return None
    shown = (merged[fine], rows[fine])
    mean = _line(*shown, values[fine], merged[-1], _POINTS)
    timed = _line(*shown, times[fine] - times[0], merged[-1], _POINTS)
    return Course(mean.samples, timed.values, mean.values)


def _as_merged(history: pa.Table) -> pa.Table:
    """The windows in the order in which they were merged."""
    return history.take(np.argsort(history["timestamp"].to_numpy(), kind="stable"))


def _line(
    merged: np.ndarray, rows: np.ndarray, values: np.ndarray, total: float, points: int
) -> Line:
    """Means over equal stretches of the run; stretches without a window have no point."""
    stretch = np.minimum((merged / total * points).astype(int), points - 1)
    weight = np.bincount(stretch, rows, points)
    some = weight > 0
    return Line(
        np.bincount(stretch, rows * merged, points)[some] / weight[some],
        np.bincount(stretch, rows * values, points)[some] / weight[some],
    )
