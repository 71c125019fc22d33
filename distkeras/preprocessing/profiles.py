"""What ``drift`` compares, counted by Spark: two profiles with the same bins, in three jobs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distkeras.preprocessing.drift import ColumnProfile, Profile
from distkeras.preprocessing.failures import plain_errors
from distkeras.preprocessing.measure import Tally, count_categories
from distkeras.preprocessing.settings import settings_for_wide_rows
from distkeras.preprocessing.sql import literal, name_in_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row

__all__ = ["profiles"]

#: The bins have about as many rows of the reference each.
_SHARES = [tenth / 10 for tenth in range(1, 10)]
_ACCURACY = 10_000


def profiles(
    reference: DataFrame, day: DataFrame, numbers: Sequence[str], categories: Sequence[str]
) -> tuple[Profile, Profile]:
    """The profiles of some rows and of those that they are compared with.

    Numbers are counted into the tenths of the reference's; fewer than ten, where many are equal.

    Args:
        reference: what is expected.
        day: what is found, in the same columns.
        numbers: columns of doubles.
        categories: columns of text.

    Returns:
        Of the reference, and of the day.

    Raises:
        DataError: the rows cannot be read.
    """
    with plain_errors("comparing the day"), settings_for_wide_rows(day.sparkSession):
        table = _together(reference, day, numbers, categories)
        edges = _edges(table, len(numbers))
        names = [f"c{i}" for i in range(len(categories))]
        rows = {row["test"]: row for row in _counted(table, edges, names)}
        tallies = count_categories(table, names) if categories else []

    def profile(test: bool) -> Profile:
        if (row := rows.get(test)) is None:
            return Profile(0)
        columns = {name: _number(row, i, len(edges[i])) for i, name in enumerate(numbers)}
        for i, name in enumerate(categories):
            columns[name] = _names(row, i, tallies[i])
        return Profile(row["rows"], columns)

    return profile(False), profile(True)


def _together(
    reference: DataFrame, day: DataFrame, numbers: Sequence[str], categories: Sequence[str]
) -> DataFrame:
    """Fixed names: x0.. numbers, c0.. categories, test for the day."""
    columns = [f"{name_in_sql(name)} AS x{i}" for i, name in enumerate(numbers)]
    columns += [f"{name_in_sql(name)} AS c{i}" for i, name in enumerate(categories)]
    before = reference.selectExpr(*columns, "false AS test")
    return before.unionByName(day.selectExpr(*columns, "true AS test"))


def _edges(table: DataFrame, count: int) -> list[list[float]]:
    """Upper ends of all bins but the last, by column."""
    if not count:
        return []
    shares = f"array({', '.join(f'{share}D' for share in _SHARES)})"
    parts = [f"percentile_approx(x{i}, {shares}, {_ACCURACY}) AS x{i}" for i in range(count)]
    row = table.where("NOT test").selectExpr(*parts).collect()[0]
    return [sorted({float(edge) for edge in row[f"x{i}"] or ()}) for i in range(count)]


def _counted(table: DataFrame, edges: Sequence[Sequence[float]], names: Sequence[str]) -> list[Row]:
    from pyspark.sql import functions as f

    parts = ["count(1) AS rows", *(f"count({name}) AS count_{name}" for name in names)]
    for i, ends in enumerate(edges):
        parts.append(f"count(x{i}) AS count_x{i}")
        parts += [f"count_if(x{i} <= {literal(e)}) AS x{i}_{j}" for j, e in enumerate(ends)]
    return table.groupBy("test").agg(*map(f.expr, parts)).collect()


def _number(row: Row, column: int, ends: int) -> ColumnProfile:
    present = row[f"count_x{column}"]
    below = [0, *(row[f"x{column}_{j}"] for j in range(ends)), present]
    counts = tuple(high - low for low, high in itertools.pairwise(below))
    return ColumnProfile(row["rows"] - present, counts)


def _names(row: Row, column: int, tally: Tally) -> ColumnProfile:
    present = row[f"count_c{column}"]
    counts = tuple(
        tally[key][row["test"]] for key in sorted(key for key in tally if key is not None)
    )
    return ColumnProfile(row["rows"] - present, counts, present - sum(counts))
