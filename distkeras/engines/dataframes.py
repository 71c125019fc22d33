"""Rows of a Spark DataFrame: chosen, measured, and dealt out to the workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from distkeras.columns import numeric_column, require_column
from distkeras.engines.summary import Found, Summary, summary_of
from distkeras.errors import DataError
from distkeras.names import KEY, SAMPLE_WEIGHT, Columns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["deal", "select", "summarise"]

#: The column that says who gets a row.
WORKER = "worker"


def select(dataframe: DataFrame, columns: Columns) -> DataFrame:
    """The columns that training needs, under fixed names.

    Args:
        dataframe: with the columns.
        columns: of numbers, arrays or ML vectors; the weight's of numbers.

    Raises:
        ConfigError: if a column is missing.
        DataError: if a column is not numeric.
    """
    weight = columns.sample_weight
    asked = [(name, "features_col") for name in columns.features]
    asked += [(name, "label_col") for name in columns.labels]
    asked += [] if weight is None else [(weight, "sample_weight_col")]
    for column, argument in asked:
        require_column(dataframe, column, argument)
    chosen = {
        fixed: numeric_column(dataframe, name).alias(fixed) for fixed, name in columns.fixed.items()
    }
    rows = dataframe.select(*chosen.values())
    if weight is not None and rows.schema[SAMPLE_WEIGHT].dataType.typeName() == "array":
        raise DataError(f"column {weight!r} holds arrays, but a row's weight is one number")
    return rows


def deal(
    rows: DataFrame,
    workers: int,
    partition_rows: Sequence[int],
    shuffle_seed: int | None = None,
) -> DataFrame:
    """Deals the rows out in turn, so that no worker has two rows more than another.

    Args:
        rows: from ``select``.
        workers: partitions wanted.
        partition_rows: rows in each partition of ``rows``, by its number.
        shuffle_seed: if given, who gets which row is drawn from it.
    """
    from pyspark.sql import functions as F

    # A retried task must find its rows in the order of the first try, whatever the order in which
    # Spark fetches them; so each row carries a key, and the worker sorts by it. The key's lower
    # 33 bits count the rows of a partition.
    key = F.monotonically_increasing_id()
    starts = F.lit([int(start) for start in np.cumsum([0, *partition_rows])])
    start = F.coalesce(F.get(starts, F.spark_partition_id()), F.lit(0))
    place = start + key.bitwiseAND(F.lit(2**33 - 1))
    turn = place
    if shuffle_seed is not None:
        # Each round of dealing begins at a worker that is drawn.
        turn = place + F.pmod(
            F.xxhash64(F.floor(place / workers), F.lit(shuffle_seed)), F.lit(workers)
        )
    worker = F.pmod(turn, F.lit(workers)).cast("int")
    return rows.withColumn(KEY, key).withColumn(WORKER, worker).repartitionById(workers, WORKER)


def summarise(rows: DataFrame, columns: Columns) -> Summary:
    """Counts and measures the rows in one pass.

    Args:
        rows: from ``select``.
        columns: the user's names, for messages.

    Raises:
        DataError: as ``summary_of`` says.
    """
    from pyspark.sql import functions as F

    arrays = {column: _is_array(rows, column) for column in columns.fixed}
    wanted: list[Column] = [F.count(F.lit(1))]
    for column, array in arrays.items():
        value = F.size(column) if array else F.col(column)
        wanted += [F.count(column), F.min(value), F.max(value)]
    parts = rows.groupBy(F.spark_partition_id()).agg(*wanted).collect()
    counts = {part[0]: part[1] for part in parts}
    found = {
        column: _found(array, [part[2 + 3 * i : 5 + 3 * i] for part in parts])
        for i, (column, array) in enumerate(arrays.items())
    }
    partitions = tuple(counts.get(i, 0) for i in range(max(counts, default=-1) + 1))
    return summary_of(sum(counts.values()), found, columns, partitions)


def _found(array: bool, parts: list[tuple[int, Any, Any]]) -> Found:
    """A column out of (known rows, least, greatest) of each of Spark's partitions."""
    known = sum(count for count, _, _ in parts)
    low = min((low for count, low, _ in parts if count), default=None)
    high = max((high for count, _, high in parts if count), default=None)
    return Found(array, known, low, high)


def _is_array(rows: DataFrame, column: str) -> bool:
    return rows.schema[column].dataType.typeName() == "array"
