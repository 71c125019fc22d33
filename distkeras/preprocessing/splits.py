"""Who trains and who tests.

A split is a boolean SQL expression: true tests, false trains, and a row with null is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from distkeras.errors import DataError
from distkeras.preprocessing.cells import MOST_CATEGORIES, category, number
from distkeras.preprocessing.failures import complaint
from distkeras.preprocessing.rows import Missing
from distkeras.preprocessing.sql import Kind, array_of, literal, name_in_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import DataType

    from distkeras.preprocessing.spec import SplitSpec

__all__ = [
    "Bound",
    "content_hash",
    "find_bounds",
    "fixed_split",
    "sortable_hash",
    "stratified_split",
]

_SMALLEST, _RANGE = -(2**63), 2**64
_ACCURACY = 100_000


@dataclass(frozen=True)
class Bound:
    """The rows of one class (None: label missing) whose hash is at most ``last`` test."""

    label: Any
    rows: int
    last: int


def content_hash(columns: Sequence[str], seed: int) -> str:
    """64 bits that depend on the values of a row and the seed, and on nothing else.

    So the split is the same however Spark cuts the input, and equal rows share a side.
    """
    return f"xxhash64({', '.join([literal(seed), *map(name_in_sql, columns)])})"


def fixed_split(table: DataFrame, split: SplitSpec, missing: Missing) -> str:
    """The split that needs no look at the data: random without strata, by column, or by time.

    Raises:
        DataError: the type of the split's column does not fit.
    """
    if split.method == "random":
        last = _SMALLEST + round(split.test * _RANGE)
        return f"{content_hash(table.columns, split.seed)} < {literal(last)}"
    name = split.column or ""
    kind = table.schema[name].dataType
    if split.method == "column":
        return _one_of(category(name, kind, missing), name, kind, split.test_values)
    return _since(name, kind, split.test_from, missing)


def _one_of(value: str, name: str, kind: DataType, wanted: Sequence[Any]) -> str:
    """Compares as text, so that 1 and '1' in the config mean the same."""
    from pyspark.sql import types as t

    if isinstance(kind, t.FractionalType):
        if bad := [v for v in wanted if isinstance(v, str)]:
            raise DataError(f"split.test_values: '{bad[0]}' for the numeric column '{name}'")
        return f"({value}) IN ({', '.join(literal(float(v)) for v in wanted)})"
    texts = [str(v).lower() if isinstance(v, bool) else str(v) for v in wanted]
    return f"trim(CAST({value} AS string)) IN ({', '.join(map(literal, texts))})"


def _since(name: str, kind: DataType, start: Any, missing: Missing) -> str:
    from pyspark.sql import types as t

    if isinstance(start, int | float):
        return f"{number(name, kind, missing)} >= {literal(float(start))}"
    raw = name_in_sql(name)
    if isinstance(kind, t.StringType):
        text = category(name, kind, missing)
        bad = f"CAST({complaint('time', name, text)} AS timestamp_ntz)"
        bad = f"CASE WHEN ({text}) IS NOT NULL THEN {bad} END"
        time = f"coalesce(try_cast({text} AS timestamp_ntz), {bad})"
    elif isinstance(kind, t.DateType | t.TimestampType | t.TimestampNTZType):
        time = f"CAST({raw} AS timestamp_ntz)"
    else:
        raise DataError(
            f"split.column '{name}' is of type {kind.simpleString()}, but test_from is a date; "
            "give a number or convert the column in the sql"
        )
    return f"{time} >= TIMESTAMP_NTZ'{_plain(start)}'"


def _plain(start: date) -> str:
    if isinstance(start, datetime):
        return start.isoformat(sep=" ")
    return start.isoformat()


def sortable_hash(columns: Sequence[str], seed: int) -> str:
    """The content hash in 53 bits, which a double holds exactly, as percentiles need it."""
    return f"shiftright({content_hash(columns, seed)}, 11)"


def find_bounds(labels: DataFrame, share: float) -> list[Bound]:
    """The hash in each class below which a share of its rows lies: one aggregation.

    A class of n rows gets ceil(share * n) test rows, up to n / 100,000 and up to equal rows,
    which stay together; at least one row of each class trains.

    Args:
        labels: columns ``label`` (null where missing) and ``hash`` (53 bits).
        share: of test rows, between 0 and 1.

    Returns:
        One for each class, but at most ``MOST_CATEGORIES`` + 2.
    """
    from pyspark.sql import functions as f

    grouped = labels.groupBy("label").agg(
        f.count(f.lit(1)).alias("rows"),
        f.percentile_approx("hash", share, _ACCURACY).alias("last"),
        f.max("hash").alias("largest"),
    )
    return [
        Bound(row["label"], row["rows"], row["last"] - (row["last"] == row["largest"]))
        for row in grouped.limit(MOST_CATEGORIES + 2).collect()
    ]


def stratified_split(label: str, kind: Kind, hashed: str, bounds: Sequence[Bound]) -> str:
    """The split in which every class has its own bound.

    Args:
        label: the class of a row, never null.
        kind: its type.
        hashed: of the row, from ``sortable_hash``.
        bounds: one for each class.
    """
    # One lookup, and not one comparison a class: the expression stays small with many classes.
    classes = array_of([b.label for b in bounds], kind)
    lasts = array_of([b.last for b in bounds], "integer")
    return f"{hashed} <= get({lasts}, CAST(array_position({classes}, {label}) - 1 AS int))"
