"""Writes both splits in one pass, and counts on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from distkeras.storage import Place, files_of, spark_url

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Written", "write_splits"]

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
