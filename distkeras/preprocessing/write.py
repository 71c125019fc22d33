"""Writes both splits in one pass, and counts on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distkeras.storage import Place, files_of, spark_url

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["Written", "settings_for_wide_rows", "write_splits"]

_SETTINGS = {
    # Java does not compile methods of more than 8000 bytes of bytecode. Above 20 columns or so
    # Spark's fused loop is longer, and would be interpreted; cut into several it is not.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # Both splits are written at once; otherwise every task would sort its rows by split first.
    "spark.sql.maxConcurrentOutputFileWriters": "2",
}


_COUNTED = (
    "count_if(split = 'train') AS train",
    "count_if(split = 'test') AS test",
    "min(array_min(features)) AS smallest",
    "max(array_max(features)) AS largest",
)


@dataclass(frozen=True)
class Written:
    """Counted while the rows went by; the extremes are over all features of both splits."""

    train: int
    test: int
    smallest: float
    largest: float


@contextmanager
def settings_for_wide_rows(spark: SparkSession) -> Iterator[None]:
    """Settings of the session for the duration of a preprocessing."""
    before: Mapping[str, str | None] = {key: spark.conf.get(key, None) for key in _SETTINGS}
    try:
        for key, value in _SETTINGS.items():
            spark.conf.set(key, value)
        yield
    finally:
        for key, old in before.items():
            if old is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, old)


def write_splits(rows: DataFrame, destination: Place) -> Written:
    """Writes ``train/`` and ``test/`` as Parquet.

    Args:
        rows: ``features``, ``label``, and ``test``, boolean.
        destination: existing directory without those two.
    """
    from pyspark.sql import Observation
    from pyspark.sql import functions as f

    seen = Observation()
    files, parts = files_of(destination), destination / "parts"
    named = rows.selectExpr("features", "label", "if(test, 'test', 'train') AS split")
    observed = named.observe(seen, *map(f.expr, _COUNTED))
    try:
        observed.write.partitionBy("split").parquet(spark_url(parts))
        for name in ("train", "test"):
            source, target = parts / f"split={name}", destination / name
            files.rename(str(source), str(target), replace=False)
    finally:
        files.discard(str(parts))
    return Written(**seen.get)
