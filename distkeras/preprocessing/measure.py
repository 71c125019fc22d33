"""What Spark measures in one pass: sums over both splits, class counts, categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from distkeras.preprocessing.cells import MOST_CATEGORIES
from distkeras.preprocessing.sql import literal

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row

__all__ = ["Measured", "Sums", "Tally", "count_categories", "measure", "medians"]

# Above this ratio of |mean| to standard deviation a sum of squares has lost too many digits.
_FAR_FROM_ZERO = 100.0


@dataclass(frozen=True)
class Sums:
    """Of the numbers that are present in one split; arrays of shape (columns,).

    Attributes:
        rows: how many rows the split has.
        count: present numbers.
        shift: what was subtracted from every number before it was added or squared.
        total: sum of the shifted numbers.
        squares: sum of their squares.
        low: the smallest number, infinity if none is present.
        high: the largest number, minus infinity if none is present.
    """

    rows: int
    count: np.ndarray
    shift: np.ndarray
    total: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean, NaN where nothing is present."""
        with np.errstate(all="ignore"):
            mean = self.shift + self.total / self.count
        return np.where(self.low == self.high, self.low, mean)

    @property
    def std(self) -> np.ndarray:
        """Population standard deviation, exactly 0 for a constant column."""
        with np.errstate(all="ignore"):
            center = self.total / self.count
            variance = self.squares / self.count - center * center
        std = np.sqrt(np.maximum(variance, 0))
        return np.where(self.low == self.high, 0.0, std)


@dataclass(frozen=True)
class Measured:
    """Everything the statistics pass found.

    Attributes:
        train: sums of the training split.
        test: sums of the test split.
        dropped: rows that belong to neither, because the split's column is missing.
        labels: (training rows, test rows) of each class; None is a missing label.
    """

    train: Sums
    test: Sums
    dropped: int
    labels: Mapping[Any, tuple[int, int]]


Tally = dict[Any, tuple[int, int]]
"""(training rows, test rows) of each category of a column; None is a missing one."""


def measure(table: DataFrame, numbers: Sequence[str]) -> Measured:
    """One aggregation over both splits; a second one over columns that are far from zero.

    Args:
        table: the ``numbers``, double, null where missing; ``test``, boolean; ``label``, or a
            null in its place for regression.
        numbers: names of columns.
    """
    first = _measure(table, numbers, np.zeros(len(numbers)))
    far = [i for i in range(len(numbers)) if _is_far(first.train, i) or _is_far(first.test, i)]
    if not far:
        return first
    shifts = _centers(first, far)
    again = _measure(table, [numbers[i] for i in far], shifts)
    return Measured(
        _refined(first.train, again.train, far),
        _refined(first.test, again.test, far),
        first.dropped,
        first.labels,
    )


def _is_far(sums: Sums, i: int) -> bool:
    known = sums.low[i] < sums.high[i] and np.isfinite([sums.low[i], sums.high[i]]).all()
    near = abs(sums.mean[i]) < _FAR_FROM_ZERO * sums.std[i] < np.inf
    return bool(known and not near)


def _centers(measured: Measured, columns: Sequence[int]) -> np.ndarray:
    """Where to measure from: the training mean if there is one, else the middle of the test."""
    train, test = measured.train, measured.test
    center = np.where(train.count > 0, train.low / 2 + train.high / 2, test.low)
    use_mean = (train.count > 0) & np.isfinite(train.mean)
    return np.where(use_mean, train.mean, center)[list(columns)]


def _refined(coarse: Sums, fine: Sums, columns: Sequence[int]) -> Sums:
    arrays = {}
    for name in ("shift", "total", "squares"):
        arrays[name] = getattr(coarse, name).copy()
        arrays[name][list(columns)] = getattr(fine, name)
    return Sums(coarse.rows, coarse.count, low=coarse.low, high=coarse.high, **arrays)


def _measure(table: DataFrame, numbers: Sequence[str], shifts: np.ndarray) -> Measured:
    from pyspark.sql import functions as f

    # Plain sums, not Spark's avg and stddev: those are numerically better and 1.5 to 3 times as
    # slow (30 columns, 2.4 million rows), and what they would save is measured again instead.
    parts = ["count(1) AS rows"]
    for i, name in enumerate(numbers):
        parts += _aggregates(name, i, float(shifts[i]))
    grouped = table.groupBy("test", "label").agg(*map(f.expr, parts))
    rows = grouped.limit(3 * (MOST_CATEGORIES + 2)).collect()
    labels: dict[Any, tuple[int, int]] = {}
    for row in rows:
        train, test = labels.get(row["label"], (0, 0))
        train += row["rows"] if row["test"] is False else 0
        test += row["rows"] if row["test"] is True else 0
        labels[row["label"]] = (train, test)
    dropped = sum(r["rows"] for r in rows if r["test"] is None)
    splits = [_sums([r for r in rows if r["test"] is side], shifts) for side in (False, True)]
    return Measured(splits[0], splits[1], dropped, labels)


def _aggregates(name: str, i: int, shift: float) -> list[str]:
    near = f"({name} - {literal(shift)})" if shift else name
    return [
        f"count({name}) AS count{i}",
        f"sum({near}) AS total{i}",
        f"sum({near} * {near}) AS squares{i}",
        f"min({name}) AS low{i}",
        f"max({name}) AS high{i}",
    ]


def _sums(rows: Sequence[Row], shifts: np.ndarray) -> Sums:
    def column(name: str, empty: float) -> np.ndarray:
        values = [[r[f"{name}{i}"] for i in range(len(shifts))] for r in rows]
        table = np.array([[empty if v is None else v for v in row] for row in values], float)
        return table.reshape(len(rows), len(shifts))

    return Sums(
        rows=sum(r["rows"] for r in rows),
        count=column("count", 0).sum(axis=0).astype(np.int64),
        shift=shifts,
        total=column("total", 0).sum(axis=0),
        squares=column("squares", 0).sum(axis=0),
        low=column("low", np.inf).min(axis=0, initial=np.inf),
        high=column("high", -np.inf).max(axis=0, initial=-np.inf),
    )


def medians(table: DataFrame, numbers: Sequence[str]) -> list[float | None]:
    """Medians over the training split, exact to 1/10000 of its rows; None if nothing is there.

    A pass of its own: a median cannot be put together from those of the classes.
    """
    parts = [f"percentile_approx({n}, 0.5D, 10000) AS {n}" for n in numbers]
    row = table.where("NOT test").selectExpr(*parts).collect()[0]
    return [row[n] for n in numbers]


def count_categories(table: DataFrame, columns: Sequence[str]) -> list[Tally]:
    """How often each category that training has occurs, for all columns in one aggregation.

    Args:
        table: the ``columns``, and ``test``, boolean.
        columns: names; what is returned has their values as text, null where missing.

    Returns:
        One tally a column; one with more than ``MOST_CATEGORIES`` + 1 entries may be cut off.
    """
    from pyspark.sql import functions as f

    cells = [
        f"named_struct('place', {i}, 'value', CAST({name} AS string))"
        for i, name in enumerate(columns)
    ]
    counted = (
        table.where("test IS NOT NULL")
        .selectExpr("test", f"explode(array({', '.join(cells)})) AS cell")
        .groupBy("cell.place", "cell.value")
        .agg(f.expr("count_if(NOT test) AS train"), f.expr("count_if(test) AS test"))
        .where("train > 0")
    )
    # If as many come back, one column at least has more than it may: each may have one less.
    tallies: list[Tally] = [{} for _ in columns]
    for row in counted.limit(len(columns) * (MOST_CATEGORIES + 2)).collect():
        tallies[row["place"]][row["value"]] = (row["train"], row["test"])
    return tallies
