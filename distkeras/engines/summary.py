"""One look over the rows before training: what would fail later fails here, in one line."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from distkeras.errors import DataError
from distkeras.names import Columns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["ColumnSummary", "Summary", "summarise"]


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


def summarise(rows: DataFrame, columns: Columns) -> Summary:
    """Counts and measures the rows in one pass.

    Args:
        rows: from ``engines.spark.select``.
        columns: the user's names, for messages.

    Raises:
        DataError: if there are no rows, a null, arrays of different lengths, or a weight that is
            no number of at least 0.
    """
    from pyspark.sql import functions as F

    wanted: list[Column] = [F.count(F.lit(1))]
    for column in columns.fixed:
        value = F.size(column) if _is_array(rows, column) else F.col(column)
        wanted += [F.count(column), F.min(value), F.max(value)]
    found = rows.groupBy(F.spark_partition_id()).agg(*wanted).collect()
    counts = {row[0]: row[1] for row in found}
    total = sum(counts.values())
    if not total:
        raise DataError("the DataFrame has no rows")
    measured = [
        _measured(
            name, _is_array(rows, column), total, [row[2 + 3 * i : 5 + 3 * i] for row in found]
        )
        for i, (column, name) in enumerate(columns.fixed.items())
    ]
    if columns.sample_weight is not None:
        _check_weights(measured.pop())
    inputs = len(columns.features)
    partitions = tuple(counts.get(i, 0) for i in range(max(counts) + 1))
    return Summary(total, tuple(measured[:inputs]), tuple(measured[inputs:]), partitions)


def _measured(
    name: str, array: bool, total: int, parts: list[tuple[int, Any, Any]]
) -> ColumnSummary:
    """A column out of (known, least, greatest value or length) of each partition."""
    nulls = total - sum(known for known, _, _ in parts)
    if nulls:
        raise DataError(f"column {name!r} is null in {nulls} of {total} rows")
    low, high = min(low for _, low, _ in parts), max(high for _, _, high in parts)
    if not array:
        return ColumnSummary(name, None, float(low), float(high))
    if low != high:
        raise DataError(f"column {name!r} holds arrays of different lengths, {low} to {high}")
    return ColumnSummary(name, int(low))


def _check_weights(column: ColumnSummary) -> None:
    assert column.low is not None
    assert column.high is not None
    # To Spark NaN is greater than any number.
    if column.low < 0 or not isfinite(column.high):
        bad = column.low if column.low < 0 else column.high
        raise DataError(f"column {column.name!r}: a row has the weight {bad:g}, not 0 or more")
    if column.high == 0:
        raise DataError(f"column {column.name!r}: every row has the weight 0")


def _is_array(rows: DataFrame, column: str) -> bool:
    return rows.schema[column].dataType.typeName() == "array"
