"""Workers as Spark tasks, the parameter server in the driver. The only user of pyspark here.

A worker is one task of one ``mapInArrow`` over as many partitions as there are workers. Where
Spark has fewer slots than workers, the rest run when a slot is free.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from distkeras import errors
from distkeras.columns import numeric_column, require_column
from distkeras.conversation import Failure
from distkeras.engines.task import Job, run
from distkeras.errors import (
    DataError,
    DistkerasError,
    EnvironmentProblem,
    TrainingError,
    WorkerFailed,
)
from distkeras.names import KEY, SAMPLE_WEIGHT, Columns
from distkeras.server import ParameterServer
from distkeras.transport.tcp import TcpServer
from distkeras.worker import Assignment
from distkeras.worker_errors import raised_on_worker

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["advertised_host", "deal", "select", "train_on_spark"]

#: The column that says who gets a row.
WORKER = "worker"
#: Seconds between two looks at the server while the job runs.
POLL = 0.5
#: Seconds that a cancelled job may take to end.
CANCEL_TIMEOUT = 30.0

#: What a worker reports with these ends the training at once: a retry would fail the same way.
_FINAL = ("ConfigError", "DataError", "EnvironmentProblem", "TrainingDiverged")


def select(dataframe: DataFrame, columns: Columns) -> DataFrame:
    """The columns that training needs, under fixed names.

    Args:
        dataframe: with the columns.
        columns: of numbers, arrays or ML vectors; the weight's of numbers.

    Raises:
        ConfigError: if a column is missing.
        DataError: if a column is not numeric.
    """
    weight = columns.sample_weight
    asked = [(name, "features_col") for name in columns.features]
    asked += [(name, "label_col") for name in columns.labels]
    asked += [] if weight is None else [(weight, "sample_weight_col")]
    for column, argument in asked:
        require_column(dataframe, column, argument)
    chosen = {
        fixed: numeric_column(dataframe, name).alias(fixed) for fixed, name in columns.fixed.items()
    }
    rows = dataframe.select(*chosen.values())
    if weight is not None and rows.schema[SAMPLE_WEIGHT].dataType.typeName() == "array":
        raise DataError(f"column {weight!r} holds arrays, but a row's weight is one number")
    return rows


def deal(
    rows: DataFrame,
    workers: int,
    partition_rows: Sequence[int],
    shuffle_seed: int | None = None,
) -> DataFrame:
    """Deals the rows out in turn, so that no worker has two rows more than another.

    Args:
        rows: from ``select``.
        workers: partitions wanted.
        partition_rows: rows in each partition of ``rows``, by its number.
        shuffle_seed: if given, who gets which row is drawn from it.
    """
    from pyspark.sql import functions as F

    # A retried task must find its rows in the order of the first try, whatever the order in which
    # Spark fetches them; so each row carries a key, and the worker sorts by it. The key's lower
    # 33 bits count the rows of a partition.
    key = F.monotonically_increasing_id()
    starts = F.lit([int(start) for start in np.cumsum([0, *partition_rows])])
    start = F.coalesce(F.get(starts, F.spark_partition_id()), F.lit(0))
    place = start + key.bitwiseAND(F.lit(2**33 - 1))
    turn = place
    if shuffle_seed is not None:
        # Each round of dealing begins at a worker that is drawn.
        turn = place + F.pmod(
            F.xxhash64(F.floor(place / workers), F.lit(shuffle_seed)), F.lit(workers)
        )
    worker = F.pmod(turn, F.lit(workers)).cast("int")
    return rows.withColumn(KEY, key).withColumn(WORKER, worker).repartitionById(workers, WORKER)


def train_on_spark(
    rows: DataFrame,
    job: Job,
    server: ParameterServer,
    watch: Callable[[], None] = lambda: None,
) -> None:
    """Runs the workers, and returns when all have trained their partitions.

    Args:
        rows: from ``deal``.
        job: what they do; its address and token are set here.
        server: the center.
        watch: called about twice a second while they train.

    Raises:
        DistkerasError: what a worker raised, if a retry would raise it again.
        WorkerFailed: if a worker failed for another reason and Spark's retries are used up.
    """
    session = rows.sparkSession
    token = secrets.token_bytes(32)
    host, bind = advertised_host(session)
    with TcpServer(server, token, bind) as tcp:
        told = replace(job, address=(host, tcp.address[1]), token=token)
        task = _SparkJob(rows, told)
        try:
            task.start()
            while not task.ended.wait(POLL):
                watch()
                _raise_final(server.failures)
        finally:
            task.cancel()
    watch()
    _raise_final(server.failures)
    if task.error is not None:
        raise _failure(task.error, server.failures)


def advertised_host(session: SparkSession) -> tuple[str, str]:
    """The host that workers connect to, and the address to bind on this machine.

    A master that runs tasks in this very process needs no more than loopback. Any other reaches
    the driver by ``spark.driver.host``, as its executors do already.

    Raises:
        EnvironmentProblem: if the driver advertises loopback to other machines.
    """
    conf = session.conf
    master = conf.get("spark.master") or "local"
    if master.startswith("local[") or master == "local":
        return "127.0.0.1", "127.0.0.1"
    host = conf.get("spark.driver.host") or ""
    if host.startswith("127.") and not master.startswith("local-cluster"):
        raise EnvironmentProblem(
            f"spark.driver.host is {host}, which workers of {master} cannot reach: "
            "set it to this machine's address"
        )
    return host, conf.get("spark.driver.bindAddress", None) or host


class _SparkJob:
    """The Spark job in a thread of its own, so that the driver can watch and cancel it."""

    def __init__(self, rows: DataFrame, job: Job) -> None:
        self._rows = rows
        self._job = job
        self._tag = f"distkeras-{secrets.token_hex(8)}"
        self._thread: threading.Thread | None = None
        self.ended = threading.Event()
        self.error: Exception | None = None

    def start(self) -> None:
        """Starts the job."""
        from pyspark import InheritableThread

        self._thread = InheritableThread(target=self._run)
        self._thread.daemon = True
        self._thread.start()

    def cancel(self) -> None:
        """Ends the job if it runs still, and waits until it has ended."""
        if not self.ended.is_set():
            self._rows.sparkSession.interruptTag(self._tag)
        if self._thread is not None:
            self._thread.join(CANCEL_TIMEOUT)

    def _run(self) -> None:
        session = self._rows.sparkSession
        session.addTag(self._tag)
        try:
            trained = self._rows.mapInArrow(partial(_train_partition, job=self._job), "windows int")
            trained.collect()
        except Exception as error:  # noqa: BLE001 - kept for the driver's thread, which raises it
            self.error = error
        finally:
            self.ended.set()


def _train_partition(batches: Iterator[pa.RecordBatch], job: Job) -> Iterator[pa.RecordBatch]:
    """The task: runs in Spark's Python worker."""
    from pyspark import TaskContext

    context = TaskContext.get()
    if context is None:
        raise EnvironmentProblem("a worker runs only inside a Spark task")
    # taskAttemptId never repeats within an application, not even when a stage is retried.
    who = Assignment(context.partitionId(), context.taskAttemptId())
    local = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or None
    windows = run(batches, job, who, local)
    yield pa.RecordBatch.from_pydict({"windows": pa.array([windows], pa.int32())})


def _raise_final(failures: list[Failure]) -> None:
    for failure in failures:
        if failure.error in _FINAL:
            kind: type[DistkerasError] = getattr(errors, failure.error)
            raise kind(failure.message) from TrainingError(f"on worker:\n{failure.details}")


def _failure(error: Exception, failures: list[Failure]) -> DistkerasError:
    """What to raise for a job that Spark gave up: the worker's own words where there are any."""
    raised: DistkerasError
    if failures:
        told = failures[-1]
        raised = WorkerFailed(f"worker {told.partition} failed: {told.error}: {told.message}")
        raised.__cause__ = TrainingError(f"on worker {told.partition}:\n{told.details}")
        return raised
    raised = raised_on_worker(error) or WorkerFailed(f"the Spark job failed: {_last_line(error)}")
    raised.__cause__ = error
    return raised


def _last_line(error: Exception) -> str:
    """What a Python worker said last, without the JVM's stack; it names the exception."""
    python = str(error).partition("\n\nJVM stacktrace:")[0].strip()
    last = python.splitlines()[-1] if python else repr(error)
    if "ModuleNotFoundError" in last:
        last += " (do the workers run the Python of the driver? see PYSPARK_PYTHON)"
    return last
