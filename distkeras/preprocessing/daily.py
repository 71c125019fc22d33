"""The rows of one day, as those of all days can be read together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from distkeras import storage
from distkeras.preprocessing.cells import category, number
from distkeras.preprocessing.failures import plain_errors
from distkeras.preprocessing.roles import find_roles
from distkeras.preprocessing.rows import Missing
from distkeras.preprocessing.settings import settings_for_wide_rows
from distkeras.preprocessing.sources import read_table
from distkeras.preprocessing.sql import name_in_sql

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from distkeras.preprocessing.spec import PreprocessSpec

__all__ = ["DailyColumns", "write_day"]


class DailyColumns(NamedTuple):
    """What a day's table has.

    Attributes:
        numbers: columns of doubles.
        categories: columns of text.
    """

    numbers: tuple[str, ...]
    categories: tuple[str, ...]


def write_day(spark: SparkSession, spec: PreprocessSpec, destination: storage.Url) -> DailyColumns:
    """Writes the features and the label of the spec's table as Parquet, before any fitting.

    Numbers are doubles, categories and classes text, and what is missing is null: so the files of
    many days are one table, whatever types the values of a single day suggest.

    Args:
        spark: the session.
        spec: what to read; its split counts for nothing.
        destination: an existing directory, to which the files are added.

    Raises:
        StorageError: an input does not exist.
        DataError: a file, column or value is wrong; the message names it.
    """
    missing = Missing(spec.missing.numbers, spec.missing.texts)
    with settings_for_wide_rows(spark), plain_errors("preprocess"):
        table = read_table(spark, spec, look_at_all=True)
        roles, types = find_roles(table, spec), table.schema
        numbers, categories = roles.numeric, roles.categorical
        if spec.label.kind == "regression":
            numbers = (*numbers, spec.label.column)
        else:
            categories = (*categories, spec.label.column)
        columns = {name: number(name, types[name].dataType, missing) for name in numbers}
        for name in categories:
            columns[name] = f"CAST({category(name, types[name].dataType, missing)} AS string)"
        rows = table.selectExpr(*(f"{c} AS {name_in_sql(n)}" for n, c in columns.items()))
        rows.write.mode("append").parquet(storage.spark_url(destination))
    return DailyColumns(numbers, categories)
