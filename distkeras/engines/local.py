"""Workers as processes of this machine, without Spark: for development and for benchmarks.

The processes are started afresh ("spawn"), because TensorFlow does not survive a fork: a script
that trains needs ``if __name__ == "__main__":`` around what it does, as with all of Python's
multiprocessing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pyarrow as pa

from distkeras.engines.addresses import Endpoint
from distkeras.engines.base import Deal, raise_final, worker_failed
from distkeras.engines.serving import serving
from distkeras.engines.summary import Summary
from distkeras.engines.tables import deal_table, summarise_table, table_of
from distkeras.engines.task import Job, run
from distkeras.errors import ConfigError, ExchangeTimeout, TrainingError, WorkerFailed
from distkeras.logs import logger
from distkeras.names import Columns
from distkeras.server import ParameterServer
from distkeras.transport.leases import STARTING, Leases
from distkeras.worker import Assignment

__all__ = ["LocalEngine"]

log = logger(__name__)

#: Seconds between two looks at the server while the processes run.
POLL = 0.2
#: Tries at a partition, as many as Spark makes.
ATTEMPTS = 4
#: Seconds that a process may take to end when it is asked to.
END_TIMEOUT = 5.0


class LocalEngine:
    """Workers as processes of this machine.

    Args:
        rows: see ``tables.table_of``.
        columns: those that training reads.

    Raises:
        ConfigError: if a column is missing.
        DataError: if a column is not numeric.
    """

    def __init__(self, rows: Any, columns: Columns) -> None:
        self._columns = columns
        self._table = table_of(rows, columns)

    def summary(self) -> Summary:
        """See ``Engine``."""
        return summarise_table(self._table, self._columns)

    def check_slots(self, workers: int) -> None:
        """See ``Engine``: any number of processes run at the same time."""

    def gather(self, rows: Any) -> pa.Table:
        """See ``Engine``."""
        return table_of(rows, self._columns)

    def run(self, job: Job, deal: Deal, server: ParameterServer, watch: Callable[[], None]) -> None:
        """See ``Engine``; watches about five times a second."""
        at = Endpoint("127.0.0.1", "127.0.0.1", job.address[1])
        mine = replace(job, cores=max(1, _cores() // deal.at_once))
        with (
            tempfile.TemporaryDirectory(prefix="distkeras-") as folder,
            serving(server, mine, at) as (tcp, told),
        ):
            log.info("workers connect to %s:%d", *tcp.address)
            shards = deal_table(self._table, deal.partitions, deal.shuffle_seed)
            files = [_written(shard, Path(folder)) for shard in shards]
            with _Processes(told, files) as processes:
                while not processes.step(deal.at_once):
                    watch()
                    raise_final(server.failures)
                    processes.check(server)
                    processes.check_started(tcp.leases)
                    tcp.leases.check(job.worker_timeout)
        watch()


class _Processes:
    """A process for each partition, some at a time; a context manager that ends them all."""

    def __init__(self, job: Job, files: list[Path]) -> None:
        self._job = job
        self._files = files
        self._waiting = list(range(len(files)))
        self._running: dict[int, multiprocessing.process.BaseProcess] = {}
        self._attempts = [0] * len(files)
        self._began = [0.0] * len(files)

    def __enter__(self) -> _Processes:
        """None runs yet."""
        return self

    def __exit__(self, *problem: object) -> None:
        """Ends those that run still."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.join(END_TIMEOUT)
            if process.is_alive():
                process.kill()
                process.join()

    def step(self, at_once: int) -> bool:
        """Starts what may run and waits a moment; whether all have ended."""
        while self._waiting and len(self._running) < at_once:
            self._start(self._waiting.pop(0))
        if self._running:
            wait([process.sentinel for process in self._running.values()], POLL)
        return not self._waiting and not self._running

    def check(self, server: ParameterServer) -> None:
        """Has failed partitions tried again.

        Raises:
            WorkerFailed: if one failed too often.
        """
        for partition, process in list(self._running.items()):
            if process.exitcode is None:
                continue
            del self._running[partition]
            if process.exitcode:
                self._retry(partition, process.exitcode, server)

    def check_started(self, leases: Leases) -> None:
        """Refuses to wait any longer for a process that never connected.

        Raises:
            ExchangeTimeout: names the worker and the process.
        """
        most = max(self._job.worker_timeout, STARTING)
        for partition, process in self._running.items():
            late = time.monotonic() - self._began[partition] > most
            if late and not leases.has_come(partition, self._attempts[partition] - 1):
                host, port = self._job.address
                raise ExchangeTimeout(
                    f"worker {partition}'s process {process.pid} did not connect to the parameter "
                    f"server at {host}:{port} within {most:g} s (worker_timeout): it hangs or is "
                    "stopped"
                )

    def _retry(self, partition: int, status: int, server: ParameterServer) -> None:
        raise_final(server.failures)
        if self._attempts[partition] < ATTEMPTS:
            self._waiting.append(partition)
            return
        told = [failure for failure in server.failures if failure.partition == partition]
        if told:
            raise worker_failed(told[-1])
        raise WorkerFailed(
            f"worker {partition}'s process ended {ATTEMPTS} times, the last with status {status}"
        )

    def _start(self, partition: int) -> None:
        who = Assignment(partition, self._attempts[partition])
        self._attempts[partition] += 1
        self._began[partition] = time.monotonic()
        process = multiprocessing.get_context("spawn").Process(
            target=_work,
            args=(str(self._files[partition]), self._job, who),
            name=f"distkeras-worker-{partition}",
            daemon=True,
        )
        # A terminal's Ctrl-C reaches all processes; this one hears it, and ends the workers.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        except OSError:
            raise
        except Exception as problem:
            raise ConfigError(
                f"a worker process cannot be given what it needs: {problem}; functions and classes "
                "of your own must be in a module that it can import"
            ) from problem
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._running[partition] = process


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _written(shard: pa.Table, folder: Path) -> Path:
    handle, path = tempfile.mkstemp(".arrow", dir=folder)
    os.close(handle)
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, shard.schema) as writer:
        writer.write_table(shard)
    return Path(path)


def _work(path: str, job: Job, who: Assignment) -> None:
    """The process: trains the rows of a file."""
    with pa.memory_map(path) as file:
        reader = pa.ipc.open_file(file)
        batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
        try:
            run(batches, job, who, str(Path(path).parent))
        except TrainingError as error:
            # The server has been told; a traceback on the terminal would say no more.
            raise SystemExit(f"worker {who.partition}: {type(error).__name__}: {error}") from None
