"""What happened in training, window by window, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from distkeras import storage
from distkeras.conversation import Record
from distkeras.server import ParameterServer
from distkeras.stopping import Validated

__all__ = ["History", "PhaseClock", "Progress", "progress", "read_history"]

#: Windows over which the loss in a progress line is averaged.
RECENT = 50


@dataclass(frozen=True)
class History:
    """The merged windows of a training, in the order of merging.

    Attributes:
        records: one for each window.
        metrics: the names of a record's metrics, the loss first.
        validations: the center's measures on other rows, in the order of time.
    """

    records: Sequence[Record]
    metrics: Sequence[str]
    validations: Sequence[Validated] = ()

    def to_arrow(self) -> pa.Table:
        """One row a window.

        Columns: worker int32, epoch int32, window int64, samples int64, then a float32 column for
        each metric (loss first), staleness int32 (updates of others that the window was trained
        without), exchange_wait float32 (seconds that the worker stood still until it had the
        answer; with overlap it trains on meanwhile), cpu_seconds float32 (processor seconds that
        the worker's process has used since the window before; 0 in a simulation), timestamp
        float64 (seconds since 1970, when it was merged).
        """
        values = np.array([record.metrics for record in self.records], np.float32)
        values = values.reshape(len(self.records), len(self.metrics))
        columns = {
            "worker": pa.array([record.worker for record in self.records], pa.int32()),
            "epoch": pa.array([record.epoch for record in self.records], pa.int32()),
            "window": pa.array([record.window for record in self.records], pa.int64()),
            "samples": pa.array([record.samples for record in self.records], pa.int64()),
            **{name: pa.array(values[:, i]) for i, name in enumerate(self.metrics)},
            "staleness": pa.array([record.staleness for record in self.records], pa.int32()),
            "exchange_wait": pa.array([r.exchange_wait for r in self.records], pa.float32()),
            "cpu_seconds": pa.array([record.cpu_seconds for record in self.records], pa.float32()),
            "timestamp": pa.array([record.timestamp for record in self.records], pa.float64()),
        }
        return pa.table(columns)

    @classmethod
    def from_arrow(cls, table: pa.Table) -> History:
        """The inverse of ``to_arrow``; ``validations`` are not in a table."""
        names = table.column_names
        metrics = tuple(names[names.index("samples") + 1 : names.index("staleness")])
        rows = table.to_pylist()
        records = [Record(metrics=tuple(row.pop(name) for name in metrics), **row) for row in rows]
        return cls(records, metrics)

    def to_parquet(self, path: storage.Url) -> None:
        """Writes ``to_arrow`` to a Parquet file.

        Raises:
            StorageError: the path cannot be written.
        """
        import pyarrow.parquet as pq

        written = pa.BufferOutputStream()
        pq.write_table(self.to_arrow(), written)
        storage.write_bytes(path, written.getvalue().to_pybytes())


def read_history(path: storage.Url) -> pa.Table:
    """The table that ``History.to_parquet`` has written.

    Raises:
        StorageError: the file cannot be read.
    """
    from pyarrow.parquet import read_table

    return read_table(pa.BufferReader(storage.read_bytes(path)))


class Progress(NamedTuple):
    """How far a training is.

    Attributes:
        phase: "check", "start", "train" or "finish".
        rows: rows merged so far; a row counts once for each epoch.
        total: rows that will be merged in all; 0 while unknown.
        loss: mean of the latest windows; NaN before the first.
        samples_per_second: since the first window was merged; 0 before.
        seconds_left: at that rate; NaN while unknown.
    """

    phase: str
    rows: int = 0
    total: int = 0
    loss: float = float("nan")
    samples_per_second: float = 0.0
    seconds_left: float = float("nan")


def progress(server: ParameterServer, total: int, now: float) -> Progress:
    """How far the server is.

    Args:
        server: the center's keeper.
        total: rows that will be merged in all.
        now: seconds since 1970.
    """
    rows = server.rows_merged
    windows, before = server.resumed
    if len(server.history) == windows:
        return Progress("start", rows, total)
    first, recent = server.history[windows], server.history[-RECENT:]
    seconds = now - first.timestamp
    rate = (rows - before - first.samples) / seconds if seconds > 0 else 0.0
    loss = float(np.mean([record.metrics[0] for record in recent]))
    left = (total - rows) / rate if rate > 0 else float("nan")
    return Progress("train", rows, total, loss, rate, left)


class PhaseClock:
    """Seconds for each phase of ``train``."""

    def __init__(self) -> None:
        self._last = time.time()
        self.seconds: dict[str, float] = {}

    def ends(self, phase: str) -> None:
        """The phase ends now."""
        self._until(phase, time.time())

    def trained(self, server: ParameterServer) -> None:
        """Splits what has passed at the first and the last merged window."""
        merged = server.history[server.resumed[0] :]
        if merged:
            self._until("start", merged[0].timestamp)
            self._until("train", merged[-1].timestamp)

    def _until(self, phase: str, now: float) -> None:
        self.seconds[phase] = round(now - self._last, 3)
        self._last = now
