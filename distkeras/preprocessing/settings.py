"""Settings of the session while it works for this room, which are as they were afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["settings_for_names", "settings_for_wide_rows"]

_NAMES = {
    # Spark puts a setting, a system property or an environment variable in place of ${...} in any
    # text of SQL, also within a quoted name, before it is parsed. So a column could be called what
    # another one is not, read a secret, or, by a setting with a backtick in it, be an expression.
    "spark.sql.variable.substitute": "false",
}
_WIDE_ROWS = {
    # Java does not compile methods of more than 8000 bytes of bytecode. Above 20 columns or so
    # Spark's fused loop is longer, and would be interpreted; cut into several it is not.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # Both splits are written at once; otherwise every task would sort its rows by split first.
    "spark.sql.maxConcurrentOutputFileWriters": "2",
}


@contextmanager
def settings_for_names(spark: SparkSession) -> Iterator[None]:
    """While column names become SQL: they mean themselves, whatever characters they have."""
    with _settings(spark, _NAMES):
        yield


@contextmanager
def settings_for_wide_rows(spark: SparkSession) -> Iterator[None]:
    """For the duration of a preprocessing; names mean themselves."""
    with _settings(spark, _NAMES | _WIDE_ROWS):
        yield


@contextmanager
def _settings(spark: SparkSession, wanted: Mapping[str, str]) -> Iterator[None]:
    before: Mapping[str, str | None] = {key: spark.conf.get(key, None) for key in wanted}
    try:
        for key, value in wanted.items():
            spark.conf.set(key, value)
        yield
    finally:
        for key, old in before.items():
            if old is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, old)
