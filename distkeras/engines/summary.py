"""One look over the rows before training: what would fail later fails here, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from distkeras.engines.task import FEATURES, LABEL
from distkeras.errors import DataError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["Summary", "summarise"]

COLUMNS = (FEATURES, LABEL)


class Summary(NamedTuple):
    """What the rows are like.

    Attributes:
        rows: their number.
        width: numbers in a row's features.
        label_width: numbers in a row's label; None where the label is a number, not an array.
        label_min: the smallest label, where it is a number.
        label_max: the largest one.
        partition_rows: rows in each of Spark's partitions, by their number.
    """

    rows: int
    width: int
    label_width: int | None
    label_min: float | None
    label_max: float | None
    partition_rows: tuple[int, ...] = ()


def summarise(rows: DataFrame, names: tuple[str, str]) -> Summary:
    """Counts and measures the rows in one pass.

    Args:
        rows: from ``engines.spark.select``.
        names: (features, label), the user's names, for messages.

    Raises:
        DataError: if there are no rows, a null, or arrays of different lengths.
    """
    from pyspark.sql import functions as F

    arrays = [_is_array(rows, column) for column in COLUMNS]
    wanted: list[Column] = [F.count(F.lit(1))]
    for column, array in zip(COLUMNS, arrays, strict=True):
        value = F.size(column) if array else F.col(column)
        wanted += [F.count(column), F.min(value), F.max(value)]
    found = rows.groupBy(F.spark_partition_id()).agg(*wanted).collect()
    counts = {row[0]: row[1] for row in found}
    total = sum(counts.values())
    if not total:
        raise DataError("the DataFrame has no rows")
    ranges = [
        _range(name, array, total, [(row[at], row[at + 1], row[at + 2]) for row in found])
        for name, array, at in zip(names, arrays, (2, 5), strict=True)
    ]
    (width, _), (low, high) = ranges
    return Summary(
        rows=total,
        width=int(width) if arrays[0] else 1,
        label_width=int(low) if arrays[1] else None,
        label_min=None if arrays[1] else float(low),
        label_max=None if arrays[1] else float(high),
        partition_rows=tuple(counts.get(i, 0) for i in range(max(counts) + 1)),
    )


def _range(
    name: str, array: bool, total: int, parts: list[tuple[int, Any, Any]]
) -> tuple[Any, Any]:
    """The least and the greatest value (of arrays: length) over (known, least, greatest)."""
    nulls = total - sum(known for known, _, _ in parts)
    if nulls:
        raise DataError(f"column {name!r} is null in {nulls} of {total} rows")
    low, high = min(low for _, low, _ in parts), max(high for _, _, high in parts)
    if array and low != high:
        raise DataError(f"column {name!r} holds arrays of different lengths, {low} to {high}")
    return low, high


def _is_array(rows: DataFrame, column: str) -> bool:
    return rows.schema[column].dataType.typeName() == "array"
