"""Files become Spark views, and views become the one table that is preprocessed."""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from distkeras.errors import ConfigError, DataError, StorageError
from distkeras.preprocessing.csv_types import find_types, guess_types, with_types
from distkeras.preprocessing.failures import plain_errors
from distkeras.preprocessing.headers import check_header
from distkeras.preprocessing.rows import Missing
from distkeras.preprocessing.spec import ENDINGS
from distkeras.preprocessing.sql import name_in_sql
from distkeras.storage import files_below, find, locate, spark_url

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, DataFrameReader, SparkSession

    from distkeras.preprocessing.spec import PreprocessSpec, SourceSpec

__all__ = ["read_table"]


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


def _read(
    spark: SparkSession, name: str, source: SourceSpec, missing: Missing, look_at_all: bool
) -> DataFrame:
    path = _existing(name, source.path)
    with plain_errors(f"source '{name}' ({source.path})"):
        kind = _format(name, source)
        only = _only(path, kind)
        if kind == "parquet":
            return spark.read.options(**only).parquet(path)
        if source.header:
            check_header(spark.read.options(**only).text(path), source.separator)
        texts = _csv_reader(spark, source, None).options(**only).csv(path)
        if not texts.columns:
            raise DataError(f"source '{name}': {source.path} is empty")
        types = None if look_at_all else guess_types(texts, missing)
        if types is None:
            return with_types(texts, find_types(texts, missing), name, missing)
        return _csv_reader(spark, source, types).options(**only).csv(path)


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


def _format(name: str, source: SourceSpec) -> Literal["csv", "parquet"]:
    if source.kind is None:
        raise ConfigError(
            f"preprocess.sources.{name}: '{source.path}' does not tell its format; add "
            "format = 'csv' or 'parquet'"
        )
    return source.kind


def _only(path: str, kind: Literal["csv", "parquet"]) -> dict[str, str]:
    """The reader's option that leaves out what else lies in a directory: READMEs, scripts."""
    endings = [e for ending, of in ENDINGS.items() if of == kind for e in (ending, f"{ending}.gz")]
    suffixes = tuple(f".{ending}" for ending in endings)
    if not any(found.entry.directory and not found.name for found in find(path)):
        return {}  # What was named file by file, or by a pattern, is read whatever it is called.
    names = [found.name for found in files_below(path) if found.name.lower().endswith(suffixes)]
    folders = sorted({posixpath.dirname(name) for name in names})
    if not folders:
        return {}
    if not any(not part or "=" in part for part in (f.split("/")[0] for f in folders)):
        raise StorageError(
            f"{path} holds no {kind} file itself; did you mean '{path.rstrip('/')}/{folders[0]}'?"
        )
    either_case = ["".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in e) for e in endings]
    return {"pathGlobFilter": f"*.{{{','.join(either_case)}}}"}


def _existing(name: str, path: str) -> str:
    """The path as Spark needs it.

    Raises:
        StorageError: nothing is there.
    """
    if not find(path):
        place = locate(path)
        above = find(place.parent)
        beside = [found.name for found in find(place.parent / "*")] if above else []
        close = difflib.get_close_matches(place.name, beside, n=1)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        raise StorageError(f"source '{name}': {path} does not exist{hint}")
    return spark_url(path)
