"""What the benchmarks share: kinds that are run in turn, processes apart, Spark, and ratios."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import results_file
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from distkeras.history import History

#: What is measured in one run: numbers by name.
Run = dict[str, float]


def options(description: str | None) -> argparse.ArgumentParser:
    """The options that all have."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the sizes of the published figures")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind, in turn")
    return parser


def in_turn(kinds: Mapping[str, Callable[[], Run]], rounds: int) -> dict[str, list[Run]]:
    """Runs every kind once a round, so that a slow minute of the machine meets all of them."""
    runs: dict[str, list[Run]] = {kind: [] for kind in kinds}
    for number in range(rounds):
        for kind, run in kinds.items():
            runs[kind].append({name: round(value, 6) for name, value in run().items()})
            print(f"round {number + 1}/{rounds}, {kind}: {runs[kind][-1]}", flush=True)
    return runs


def median(runs: Sequence[Run], what: str) -> float:
    """The median of one of the numbers."""
    return statistics.median(run[what] for run in runs)


def ratio(runs: Sequence[Run], others: Sequence[Run], what: str) -> float:
    """The median over the rounds of what one kind has to what another has."""
    return statistics.median(a[what] / b[what] for a, b in zip(runs, others, strict=True))


def shown(table: Table, name: str, full: bool, figures: dict[str, Any]) -> None:
    """Prints the table, and writes the figures; those of a short form to a file of their own."""
    Console(width=110).print(table)
    results_file.write(name if full else f"{name}_short", {"full": full, **_plain(figures)})


def _plain(figures: Any) -> Any:
    """Without infinities and NaN, which JSON does not know."""
    if isinstance(figures, Mapping):
        return {name: _plain(value) for name, value in figures.items()}
    if isinstance(figures, list):
        return [_plain(value) for value in figures]
    return None if isinstance(figures, float) and not isfinite(figures) else figures


def steady(history: History) -> float:
    """Samples/s from the first merged window to the last."""
    records = history.records
    samples = sum(record.samples for record in records[1:])
    return samples / (records[-1].timestamp - records[0].timestamp)


class Apart:
    """A process of its own, that stays for all rounds; a context manager.

    Args:
        cores: that it may use; None: all.
        environment: variables that it has beside those of this process.
    """

    def __init__(
        self, cores: Sequence[int] | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, spawn, _prepare, (cores, environment or {}))

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *problem: object) -> None:
        self._pool.shutdown()

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function of a module returns there."""
        return self.begin(function, *arguments)()

    def begin(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Calls it there, and goes on; what is returned waits for its end."""
        return self._pool.submit(function, *arguments).result


def _prepare(cores: Sequence[int] | None, environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    if cores is not None:
        os.sched_setaffinity(0, cores)


@contextmanager
def spark(driver_memory: str = "4g") -> Iterator[SparkSession]:
    """Spark in this process's JVM, with two task slots."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[2]")
        .appName("distkeras-benchmarks")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.memory", driver_memory)
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    try:
        yield session
    finally:
        session.stop()


def memory() -> int:
    """Bytes of this machine's memory that are free to use."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))


def write_rows(folder: Path, features: np.ndarray, labels: np.ndarray, files: int = 4) -> str:
    """Writes ``features`` array<float> and ``label`` int as Parquet files; returns the folder."""
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(len(labels)), files)):
        rows = features[part]
        offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
        lists = pa.ListArray.from_arrays(offsets, pa.array(rows.ravel()))
        table = pa.table({"features": lists, "label": pa.array(labels[part])})
        pq.write_table(table, folder / f"{number}.parquet")
    return str(folder)
