"""One look over the rows before training: what would fail later fails here, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple

from distkeras.errors import DataError
from distkeras.names import Columns

__all__ = ["ColumnSummary", "Found", "Summary", "summary_of"]


class ColumnSummary(NamedTuple):
    """What a column is like.

    Attributes:
        name: the user's, for messages.
        width: numbers in a row; None where the column holds numbers, not arrays.
        low: the smallest number, where it holds numbers.
        high: the largest one.
    """

    name: str
    width: int | None
    low: float | None = None
    high: float | None = None

    @property
    def numbers(self) -> int:
        """Numbers in a row."""
        return 1 if self.width is None else self.width


class Summary(NamedTuple):
    """What the rows are like.

    Attributes:
        rows: their number.
        features: a column for each input of the model.
        labels: a column for each output of the model.
        partition_rows: rows in each of Spark's partitions, by their number.
    """

    rows: int
    features: tuple[ColumnSummary, ...]
    labels: tuple[ColumnSummary, ...]
    partition_rows: tuple[int, ...] = ()


class Found(NamedTuple):
    """What a look at a column found.

    Attributes:
        array: whether it holds arrays, not numbers.
        known: rows that are not null.
        low: the least number, of arrays the least length; None where no row is known.
        high: likewise the greatest.
    """

    array: bool
    known: int
    low: Any
    high: Any


def summary_of(
    rows: int, found: Mapping[str, Found], columns: Columns, partition_rows: tuple[int, ...] = ()
) -> Summary:
    """What was found, refused where nothing can be trained on it.

    Args:
        rows: their number.
        found: of each column by its fixed name.
        columns: the user's names, for messages.
        partition_rows: as in ``Summary``.

    Raises:
        DataError: if there are no rows, a null, arrays of different lengths, or a weight that is
            no number of at least 0.
    """
    if not rows:
        raise DataError("the DataFrame has no rows")
    measured = [_measured(name, rows, found[column]) for column, name in columns.fixed.items()]
    if columns.sample_weight is not None:
        _check_weights(measured.pop())
    inputs = len(columns.features)
    return Summary(rows, tuple(measured[:inputs]), tuple(measured[inputs:]), partition_rows)


def _measured(name: str, rows: int, found: Found) -> ColumnSummary:
    if found.known < rows:
        raise DataError(f"column {name!r} is null in {rows - found.known} of {rows} rows")
    if not found.array:
        return ColumnSummary(name, None, float(found.low), float(found.high))
    if found.low != found.high:
        raise DataError(
            f"column {name!r} holds arrays of different lengths, {found.low} to {found.high}"
        )
    return ColumnSummary(name, int(found.low))


def _check_weights(column: ColumnSummary) -> None:
    assert column.low is not None
    assert column.high is not None
    # To Spark NaN is greater than any number.
    if column.low < 0 or not isfinite(column.high):
        bad = column.low if column.low < 0 else column.high
        raise DataError(f"column {column.name!r}: a row has the weight {bad:g}, not 0 or more")
    if column.high == 0:
        raise DataError(f"column {column.name!r}: every row has the weight 0")
