"""Files become Spark views, and views become the one table that is preprocessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from distkeras.errors import ConfigError, DataError
from distkeras.preprocessing.csv_types import find_types, guess_types, with_types
from distkeras.preprocessing.failures import plain_errors
from distkeras.preprocessing.files import check_there, suffixes_in
from distkeras.preprocessing.headers import check_header
from distkeras.preprocessing.rows import Missing
from distkeras.preprocessing.sql import name_in_sql
from distkeras.storage import spark_url

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, DataFrameReader, SparkSession

    from distkeras.preprocessing.spec import Format, PreprocessSpec, SourceSpec

__all__ = ["read_raw", "read_table"]


def read_table(spark: SparkSession, spec: PreprocessSpec, *, look_at_all: bool) -> DataFrame:
    """The table that the sources and the SQL statement describe; nothing is read but samples.

    Args:
        spark: the session; views of the sources' names exist in it only during this call.
        spec: says what to read.
        look_at_all: find the types of CSV columns from all rows, not from the first ones.

    Raises:
        StorageError: a path does not exist.
        ConfigError: a format cannot be told.
        DataError: a file cannot be read, or the SQL statement is wrong.
    """
    missing = Missing(spec.missing.numbers, spec.missing.texts)
    tables = {
        name: _read(spark, name, source, missing, look_at_all)
        for name, source in spec.sources.items()
    }
    if spec.sql is None:
        return next(iter(tables.values()))
    with plain_errors("preprocess.sql"), _views(spark, tables):
        return spark.sql(spec.sql)


@contextmanager
def _views(spark: SparkSession, tables: Mapping[str, DataFrame]) -> Iterator[None]:
    try:
        for name, table in tables.items():
            table.createOrReplaceTempView(name)
        yield
    finally:
        for name in tables:
            spark.catalog.dropTempView(name)


def read_raw(spark: SparkSession, who: str, source: SourceSpec, kind: Format) -> DataFrame:
    """The rows of one source as they stand there: what a CSV file holds is text.

    Args:
        spark: the session.
        who: names the source, for messages.
        source: what to read; its path exists.
        kind: how its files are written.

    Raises:
        DataError: a file cannot be read.
    """
    path = spark_url(source.path)
    with plain_errors(f"{who} ({source.path})"):
        only = _only(path, kind)
        if kind == "parquet":
            return spark.read.options(**only).parquet(path)
        if source.header:
            check_header(spark.read.options(**only).text(path), source.separator)
        texts = _csv_reader(spark, source, None).options(**only).csv(path)
        if not texts.columns:
            raise DataError(f"{who}: {source.path} is empty")
        return texts


def _read(
    spark: SparkSession, name: str, source: SourceSpec, missing: Missing, look_at_all: bool
) -> DataFrame:
    who = f"source '{name}'"
    check_there(who, source.path)
    kind = _format(name, source)
    raw = read_raw(spark, who, source, kind)
    if kind == "parquet":
        return raw
    with plain_errors(f"{who} ({source.path})"):
        types = None if look_at_all else guess_types(raw, missing)
        if types is None:
            return with_types(raw, find_types(raw, missing), name, missing)
        path = spark_url(source.path)
        return _csv_reader(spark, source, types).options(**_only(path, kind)).csv(path)


def _csv_reader(
    spark: SparkSession, source: SourceSpec, types: Mapping[str, str] | None
) -> DataFrameReader:
    reader = (
        spark.read.option("header", source.header)
        .option("sep", source.separator)
        # A quote within quotes is doubled, as RFC 4180 has it; Spark expects a backslash.
        .option("escape", '"')
        .option("ignoreLeadingWhiteSpace", True)
        .option("ignoreTrailingWhiteSpace", True)
        .option("mode", "FAILFAST")
        # Without these two a file whose columns stand in another order is read as if they did
        # not, and a ragged row goes unnoticed as long as the columns in use are there.
        .option("enforceSchema", False)
        .option("columnPruning", False)
    )
    if types is None:
        types = dict.fromkeys(source.columns, "string")
    fields = ", ".join(f"{name_in_sql(name)} {kind}" for name, kind in types.items())
    return reader.schema(fields) if fields else reader


def _format(name: str, source: SourceSpec) -> Format:
    if source.kind is None:
        raise ConfigError(
            f"preprocess.sources.{name}: '{source.path}' does not tell its format; add "
            "format = 'csv' or 'parquet'"
        )
    return source.kind


def _only(path: str, kind: Format) -> dict[str, str]:
    """The reader's option that leaves out what else lies in a directory."""
    endings = [ending.removeprefix(".") for ending in suffixes_in(path, kind)]
    if not endings:
        return {}
    either_case = ["".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in e) for e in endings]
    return {"pathGlobFilter": f"*.{{{','.join(either_case)}}}"}
