"""How many rows a second does ``ModelPredictor`` score, from Parquet to Parquet?

Beside it, in the same rounds and on the same two cores, ``model.predict(batch_size=4096)`` on
arrays that lie in memory. Both have scored a few rows before: nothing is left to import or trace.

    python benchmarks/prediction.py
    python benchmarks/prediction.py --full
"""

from __future__ import annotations

import os
import tempfile
import time
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import compared
import workloads
from compared import Run
from rich.table import Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BATCH = 4096


@cache
def _warm() -> Any:
    model = workloads.model("mlp")
    model.predict(workloads.rows("mlp", BATCH + 1).x, BATCH, verbose=0)
    return model


def in_memory(count: int) -> Run:
    """``model.predict`` on arrays."""
    model, there = _warm(), workloads.rows("mlp", count)
    began = time.perf_counter()
    model.predict(there.x, BATCH, verbose=0)
    return rate(count, time.perf_counter() - began)


def in_spark(session: SparkSession, path: str, count: int) -> Run:
    """The same rows of Parquet files, with predictions, as Parquet files."""
    from distkeras.predictors import ModelPredictor

    target = str(Path(path).parent / "scored")
    predictor = ModelPredictor(workloads.model("mlp"), batch_size=BATCH)
    began = time.perf_counter()
    scored = predictor.predict(session.read.parquet(path), keep=["label"])
    scored.write.mode("overwrite").parquet(target)
    seconds = time.perf_counter() - began
    assert session.read.parquet(target).count() == count
    return rate(count, seconds)


def rate(count: int, seconds: float) -> Run:
    return {"rows_per_second": count / seconds, "seconds": seconds}


def measured(count: int, files: int, rounds: int) -> dict[str, list[Run]]:
    """Both in turn."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    there = workloads.rows("mlp", count)
    with (
        compared.Apart(cores) as apart,
        compared.spark() as session,
        tempfile.TemporaryDirectory() as folder,
    ):
        path = compared.write_rows(Path(folder, "rows"), there.x, there.y, files)
        few = compared.write_rows(Path(folder, "few"), there.x[:BATCH], there.y[:BATCH], 2)
        in_spark(session, few, BATCH)
        kinds = {
            "model.predict": partial(apart, in_memory, count),
            "ModelPredictor": partial(in_spark, session, path, count),
        }
        return compared.in_turn(kinds, rounds)


def main() -> None:
    """Runs the benchmark."""
    parser = compared.options(__doc__)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--files", type=int, default=8, help="of Parquet, of equal size")
    asked = parser.parse_args()
    count = asked.rows or (2_000_000 if asked.full else 300_000)
    runs = measured(count, asked.files, asked.rounds)
    ratio = compared.ratio(runs["ModelPredictor"], runs["model.predict"], "rows_per_second")
    table = Table("", "rows/s", "seconds", title=f"{count:,} rows")
    for kind, several in runs.items():
        medians = (compared.median(several, what) for what in ("rows_per_second", "seconds"))
        table.add_row(kind, *(f"{value:,.1f}" for value in medians))
    table.add_row("ratio", f"{ratio:.2f}")
    compared.shown(table, "prediction", asked.full, {"rows": count, "runs": runs, "ratio": ratio})


if __name__ == "__main__":
    main()
