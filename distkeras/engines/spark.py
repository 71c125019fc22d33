"""Workers as Spark tasks, the parameter server in the driver.

A worker is one task of one ``mapInArrow`` over as many partitions as there are workers. Where
Spark has fewer slots than workers, the rest run when a slot is free.

The workers of a synchronous rule need each other, so they are a barrier stage: Spark starts all of
them or none, and when one fails it starts all of them again. Those of an asynchronous rule never
are: they come and go, one by one, as Spark has executors for them.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from distkeras.conversation import Failure
from distkeras.engines.addresses import endpoint, runs_in_driver
from distkeras.engines.base import Deal, raise_final, worker_failed
from distkeras.engines.certificates import guard
from distkeras.engines.dataframes import deal as dealt
from distkeras.engines.dataframes import select, summarise
from distkeras.engines.serving import serving
from distkeras.engines.summary import Summary
from distkeras.engines.tables import table_of
from distkeras.engines.task import Job, run
from distkeras.engines.unlogged import unlogged
from distkeras.errors import ConfigError, DistkerasError, EnvironmentProblem, WorkerFailed
from distkeras.logs import log_to_stderr, logger
from distkeras.names import Columns
from distkeras.server import ParameterServer
from distkeras.worker import Assignment
from distkeras.worker_errors import raised_on_worker

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["SparkEngine", "slots_of"]

log = logger(__name__)

#: Seconds between two looks at the server while the job runs.
POLL = 0.5
#: Seconds that a cancelled job may take to end.
CANCEL_TIMEOUT = 30.0

#: Seconds to wait for executors where a rule needs all workers at the same time.
SLOTS_TIMEOUT = 15.0


class SparkEngine:
    """Workers as tasks of the session that the DataFrame belongs to.

    Args:
        dataframe: with the columns.
        columns: those that training reads.

    Raises:
        ConfigError: if a column is missing, or a certificate cannot be used.
        DataError: if a column is not numeric.
        EnvironmentProblem: if the workers could not reach the driver.
    """

    def __init__(self, dataframe: DataFrame, columns: Columns) -> None:
        # Before the first job, which would wait in vain for executors that find no driver.
        at = endpoint(dataframe.sparkSession.conf.get)
        if at.certificate is not None:
            guard(at.certificate)
        self._columns = columns
        self._rows = select(dataframe, columns)
        self._summary: Summary | None = None

    def summary(self) -> Summary:
        """See ``Engine``."""
        if self._summary is None:
            self._summary = summarise(self._rows, self._columns)
        return self._summary

    def check_slots(self, workers: int) -> None:
        """See ``Engine``; waits a few seconds for executors that are just starting."""
        conf = self._rows.sparkSession.conf
        local = runs_in_driver(conf.get("spark.master") or "")
        dynamic = conf.get("spark.dynamicAllocation.enabled", "false") or ""
        if dynamic.lower() == "true" and not local:
            raise ConfigError(
                f"num_workers is {workers}, and all must run at the same time, which Spark does "
                "not grant with spark.dynamicAllocation.enabled=true: set it to false, or use an "
                "asynchronous trainer"
            )
        if not hasattr(self._rows.sparkSession, "sparkContext"):
            return  # Cannot be asked from here; Spark itself refuses, in its own time.
        deadline = time.monotonic() + SLOTS_TIMEOUT
        while (slots := slots_of(self._rows.sparkSession)) < workers:
            if time.monotonic() > deadline or local:
                raise ConfigError(
                    f"num_workers is {workers}, and all must run at the same time, but Spark has "
                    f"{slots} task slots: use fewer workers or more cores"
                )
            time.sleep(POLL)

    def gather(self, rows: Any) -> pa.Table:
        """See ``Engine``."""
        if hasattr(rows, "sparkSession"):
            return select(rows, self._columns).toArrow()
        return table_of(rows, self._columns)

    def run(self, job: Job, deal: Deal, server: ParameterServer, watch: Callable[[], None]) -> None:
        """See ``Engine``; watches about twice a second."""
        session = self._rows.sparkSession
        parts = self.summary().partition_rows
        rows = dealt(self._rows, deal.partitions, parts, deal.shuffle_seed)
        at = endpoint(session.conf.get, job.address[1])
        cores = int(session.conf.get("spark.task.cpus", "1") or 1)
        with serving(server, replace(job, cores=cores), at) as (tcp, told):
            log.info("workers connect to %s:%d, bound to %s", *told.address, tcp.address[0])
            task = _SparkJob(rows, told)
            try:
                task.start()
                while not task.ended.wait(POLL):
                    watch()
                    raise_final(server.failures)
                    tcp.leases.check(job.worker_timeout)
                    if server.stopped and tcp.leases.idle() > job.timeout:
                        log.warning("no worker is there to hear it (%s): cancelled", server.stopped)
                        break
                ended = task.ended.is_set()
            finally:
                task.cancel()
        watch()
        raise_final(server.failures)
        if ended and task.error is not None:
            raise _failure(task.error, server.failures)


def slots_of(session: SparkSession) -> int:
    """Tasks that Spark can run at the same time now; as its barrier mode counts them."""
    context = session.sparkContext._jsc.sc()
    profile = context.resourceProfileManager().defaultResourceProfile()
    return int(context.maxNumConcurrentTasks(profile))


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
        deadline = time.monotonic() + CANCEL_TIMEOUT
        # Again and again: a job that Spark is just starting does not hear it yet.
        while not self.ended.is_set() and time.monotonic() < deadline:
            self._rows.sparkSession.interruptTag(self._tag)
            self.ended.wait(POLL)
        if self.ended.is_set() and self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        session = self._rows.sparkSession
        session.addTag(self._tag)
        try:
            work = partial(_train_partition, job=self._job)
            together = self._job.rule.synchronous
            with unlogged():  # The job holds the run's secret.
                trained = self._rows.mapInArrow(work, "windows int", barrier=together)
            # Spark gives a barrier stage up that ends its job, and runs one again that a shuffle
            # follows.
            (trained.repartition(1) if together else trained).collect()
        except Exception as error:  # noqa: BLE001 - kept for the driver's thread, which raises it
            self.error = error
        finally:
            self.ended.set()


def _train_partition(batches: Iterator[pa.RecordBatch], job: Job) -> Iterator[pa.RecordBatch]:
    """The task: runs in Spark's Python worker."""
    from pyspark import TaskContext

    log_to_stderr()
    context = TaskContext.get()
    if context is None:
        raise EnvironmentProblem("a worker runs only inside a Spark task")
    # taskAttemptId never repeats within an application, not even when a stage is retried.
    who = Assignment(context.partitionId(), context.taskAttemptId())
    local = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or None
    windows = run(batches, job, who, local)
    # Not ``pa.array``, which imports pandas first.
    number = pa.py_buffer(windows.to_bytes(4, sys.byteorder))
    told = pa.Array.from_buffers(pa.int32(), 1, [None, number])
    yield pa.RecordBatch.from_arrays([told], ["windows"])


def _failure(error: Exception, failures: list[Failure]) -> DistkerasError:
    """What to raise for a job that Spark gave up: the worker's own words where there are any."""
    # What Spark does not quote has passed: that worker was tried again.
    text = str(error)
    for failure in reversed(failures):
        if failure.message in text:
            return worker_failed(failure)
    raised: DistkerasError
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
