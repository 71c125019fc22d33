"""One look over the rows before training: what would fail later fails here, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from distkeras.engines.task import FEATURES, LABEL
from distkeras.errors import DataError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["Summary", "summarise"]


class Summary(NamedTuple):
    """What the rows are like.

    Attributes:
        rows: their number.
        width: numbers in a row's features.
        label_width: numbers in a row's label; None where the label is a number, not an array.
        label_min: the smallest label, where it is a number.
        label_max: the largest one.
    """

    rows: int
    width: int
    label_width: int | None
    label_min: float | None
    label_max: float | None


def summarise(rows: DataFrame, names: tuple[str, str]) -> Summary:
    """Counts and measures the rows in one pass.

    Args:
        rows: from ``engines.spark.select``.
        names: (features, label), the user's names, for messages.

    Raises:
        DataError: if there are no rows, a null, or arrays of different lengths.
    """
    from pyspark.sql import functions as F

    arrays = {column: _is_array(rows, column) for column in (FEATURES, LABEL)}
    wanted: list[Column] = [F.count(F.lit(1)).alias("rows")]
    for column, array in arrays.items():
        low = F.size(column) if array else F.col(column)
        wanted += [
            F.count(column).alias(f"{column}_known"),
            F.min(low).alias(f"{column}_min"),
            F.max(low).alias(f"{column}_max"),
        ]
    found = rows.agg(*wanted).first()
    assert found is not None  # An aggregate without groups has one row.
    if not found["rows"]:
        raise DataError("the DataFrame has no rows")
    for column, name in zip(arrays, names, strict=True):
        nulls = found["rows"] - found[f"{column}_known"]
        if nulls:
            raise DataError(f"column {name!r} is null in {nulls} of {found['rows']} rows")
        low, high = found[f"{column}_min"], found[f"{column}_max"]
        if arrays[column] and low != high:
            raise DataError(f"column {name!r} holds arrays of different lengths, {low} to {high}")
    numeric = not arrays[LABEL]
    return Summary(
        rows=found["rows"],
        width=found[f"{FEATURES}_min"] if arrays[FEATURES] else 1,
        label_width=None if numeric else found[f"{LABEL}_min"],
        label_min=float(found[f"{LABEL}_min"]) if numeric else None,
        label_max=float(found[f"{LABEL}_max"]) if numeric else None,
    )


def _is_array(rows: DataFrame, column: str) -> bool:
    return rows.schema[column].dataType.typeName() == "array"
