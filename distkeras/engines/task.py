"""What runs in one partition: rows in, a trained partition out. No Spark in here.

Takes a plain iterator of Arrow batches, so that it runs in a test with a list as in Spark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from distkeras.callbacks import Callbacks, Trainee
from distkeras.chronicle import working
from distkeras.codecs import RAW, Codec
from distkeras.columns import check_finite, to_numpy
from distkeras.errors import DataError
from distkeras.logs import logger
from distkeras.names import KEY, SAMPLE_WEIGHT, Columns, feature
from distkeras.rules import Rule
from distkeras.schedule import Schedule
from distkeras.shards.channel import Line, ShardedChannel
from distkeras.spool import Spool
from distkeras.transport.client import TcpChannel
from distkeras.transport.tls import Trust
from distkeras.vectors import Layout
from distkeras.worker import Assignment, Worker, report

if TYPE_CHECKING:
    from distkeras.replica import Replica, ReplicaSpec

__all__ = ["Job", "fill", "run"]

log = logger(__name__)

#: The replica of the last task in this process: Spark re-uses its Python workers, and a window
#: that is compiled already saves a second training its start.
_kept: dict[str, Replica] = {}


@dataclass(frozen=True)
class Job:
    """All that a worker is told.

    Attributes:
        spec: the model.
        rule: the distributed optimizer.
        schedule: which rows when.
        layout: of the vectors that are exchanged.
        columns: the user's names of the columns.
        memory: bytes of rows that a worker keeps in memory.
        cores: threads that a worker computes with.
        timeout: seconds that a call to the server may take.
        worker_timeout: seconds that a worker which is connected may be silent.
        address: (host, port) of the parameter server. The engine knows the host, and the port
            where none is asked for (0).
        token: the run's secret, likewise.
        trust: the server's certificate, likewise; None where there is no TLS.
        callbacks: of Keras, for each worker.
        codec: how vectors travel.
        run: what the log calls the training.
        overlap: whether a window is trained while the one before is exchanged.
        shards: (host, port) of each shard of the center, in their order; none where it is whole.
    """

    spec: ReplicaSpec
    rule: Rule
    schedule: Schedule
    layout: Layout
    columns: Columns
    memory: int
    cores: int = 1
    timeout: float = 60.0
    worker_timeout: float = 600.0
    address: tuple[str, int] = ("", 0)
    token: bytes = b""
    trust: Trust | None = None
    callbacks: tuple[Any, ...] = ()
    codec: Codec = RAW
    run: str = ""
    overlap: bool = False
    shards: tuple[tuple[str, int], ...] = ()

    def __repr__(self) -> str:
        """Without the token: a job may be printed."""
        return f"Job({self.rule.name}, server={self.address[0]}:{self.address[1]})"

    def channel(self) -> TcpChannel | ShardedChannel:
        """A worker's line to the server; it connects at the first call."""
        size = self.layout.size
        if self.shards:
            line = Line(self.token, self.timeout, self.trust, self.codec)
            return ShardedChannel(self.address, self.shards, size, line)
        return TcpChannel(self.address, self.token, size, self.timeout, self.trust, self.codec)

    def listener(self, who: Assignment, rows: int, replica: Trainee) -> Callbacks | None:
        """What is told of a worker's windows; None where there are no callbacks.

        Args:
            who: the worker.
            rows: that it has.
            replica: its model.
        """
        if not self.callbacks:
            return None
        steps = self.schedule.steps(rows)
        params = {"epochs": self.schedule.epochs, "steps": steps, "verbose": 0}
        return Callbacks(self.callbacks, replica, params | {"worker": who.partition})


def run(
    batches: Iterator[pa.RecordBatch], job: Job, who: Assignment, directory: str | None = None
) -> int:
    """Trains one partition and returns the windows trained.

    Args:
        batches: with the column "key" (int64) and those of ``job.columns.fixed``, numbers or lists.
        job: what to do.
        who: the partition and the attempt.
        directory: where rows beyond the memory bound are kept.

    Raises:
        DataError: a row has a null, a NaN, an infinity or another width; or there is no row.
        TrainingError: as the server says.
    """
    with (
        working(job.run, who.partition, who.attempt),
        job.channel() as channel,
        Spool(job.memory, directory) as rows,
    ):
        try:
            # Before it reads and imports, which takes a while: a driver hears of who stops there.
            channel.announce(who.partition, who.attempt, job.worker_timeout)
            fill(rows, batches, job.columns, job.spec.dtypes)
            log.info("got %d rows%s", len(rows), ", more than memory_mb" * rows.spilled)
            if not len(rows):
                raise DataError(f"worker {who.partition} got no rows: use fewer workers")
            replica = _replica(job, who)
            listener = job.listener(who, len(rows), replica)
            worker = Worker(who, rows, replica, job.rule, job.schedule, listener)
            windows = worker.train(channel, job.overlap)
            log.info("trained %d windows", windows)
            return windows
        except Exception as error:
            report(channel, who.partition, error)
            raise


def fill(
    rows: Spool,
    batches: Iterator[pa.RecordBatch],
    columns: Columns,
    dtypes: Sequence[np.dtype[Any]] = (),
) -> None:
    """Puts Arrow batches into the spool, checked.

    Args:
        rows: the spool.
        batches: as for ``run``.
        columns: the user's names, for messages.
        dtypes: of the features, in their order; float32 where there is none.

    Raises:
        DataError: names the user's column and the row, counted within the partition.
    """
    kinds = {feature(number): dtype for number, dtype in enumerate(dtypes)}
    widths: dict[str, int] = {}
    for batch in batches:
        first = len(rows)
        arrays = {}
        for column, name in columns.fixed.items():
            kind = kinds.get(column, np.dtype(np.float32))
            values = to_numpy(batch.column(column), name, kind, first_row=first)
            check_finite(values, name, first_row=first)
            _check_width(values, widths.setdefault(column, _width(values)), name, first)
            arrays[column] = values
        if columns.sample_weight is not None:
            _check_weights(arrays[SAMPLE_WEIGHT], columns.sample_weight, first)
        # Arrow's memory goes back to Spark after the batch.
        copies = {column: np.array(values) for column, values in arrays.items()}
        rows.append(to_numpy(batch.column(KEY), KEY, np.int64).copy(), copies)
    rows.sort()


def _width(values: np.ndarray) -> int:
    return values.shape[1] if values.ndim == 2 else 1


def _check_width(values: np.ndarray, width: int, name: str, first: int) -> None:
    found = _width(values)
    if found != width:
        raise DataError(f"column {name!r}: row {first} has {found} values, the rows before {width}")


def _check_weights(weights: np.ndarray, name: str, first: int) -> None:
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise DataError(
            f"column {name!r}: row {first + row} has the weight {weights[row]:g}, below 0"
        )


def _replica(job: Job, who: Assignment) -> Replica:
    from distkeras.models import use_cores
    from distkeras.replica import Replica

    use_cores(job.cores)
    log.info("has Keras")
    key = repr(job.spec)
    # What a class of the user's does may have changed since, under the same name.
    kept = None if job.spec.custom_objects else _kept.get(key)
    if kept is None:
        _kept.clear()
        kept = _kept[key] = Replica(job.spec)
    kept.reset((job.schedule.seed + who.partition) % 2**32)
    log.info("has the model")
    return kept
