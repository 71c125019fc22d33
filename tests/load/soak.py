"""One server under many workers: measured as it runs, and called to account at the end."""

from __future__ import annotations

import json
import logging
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from distkeras.rules import downpour
from distkeras.server import ParameterServer
from distkeras.transport.tcp import TcpServer
from tests.load.clients import SIZE, Sent

#: Processes over which the workers are spread.
PROCESSES = 4
#: The part of the time after which memory is expected to be flat.
WARM_UP = 0.25
#: What may still grow from the first third after that to the last: MiB, and descriptors.
MEMORY_SLACK, DESCRIPTOR_SLACK = 2.0, 8
#: Seconds that the workers have to join, and to leave when the server says that it has enough.
TIMEOUT = 120.0


class Sample(NamedTuple):
    """The server's process at one moment.

    Attributes:
        seconds: since the workers were started.
        windows: merged so far.
        resident_mib: memory.
        descriptors: open.
        threads: running.
    """

    seconds: float
    windows: int
    resident_mib: float
    descriptors: int
    threads: int


class Load(NamedTuple):
    """How much, and for how long.

    Attributes:
        workers: on the server.
        seconds: until it says that it has enough.
        pause: seconds of a worker between two windows, on average.
    """

    workers: int
    seconds: float
    pause: float


class Outcome(NamedTuple):
    """What came of it.

    Attributes:
        samples: over the time.
        sent: by each worker, as it says itself.
        wrong: every promise that was broken, one line each.
    """

    samples: list[Sample]
    sent: list[Sent]
    wrong: list[str]


def soak(load: Load, tell: Callable[[Sample], None] = lambda _: None) -> Outcome:
    """Puts a server under load.

    Args:
        load: how much.
        tell: is told of each sample.
    """
    server = ParameterServer(np.zeros(SIZE, np.float32), downpour(), workers=load.workers)
    token, books, complaints = secrets.token_bytes(32), Books(server), Complaints()
    with complaints, TcpServer(server, token) as tcp:
        before = sample(0.0, server)
        with clients(tcp.address, token, load) as processes:
            wait_for(lambda: len(server.unfinished) == load.workers, "all workers have joined")
            samples = list(watched(load, books, tell))
            server.stop("enough")
            sent = [one for process in processes for one in report_of(process)]
        wrong = [f"worker {one.partition}: {text}" for one in sent for text in one.wrong]
        wrong += settled(server, before) + books.compared(sent)
    return Outcome(samples, sent, wrong + complaints.lines + unsteady(samples))


def watched(load: Load, books: Books, tell: Callable[[Sample], None]) -> Iterator[Sample]:
    """A sample every hundredth of the time, at most every second."""
    started, pause = time.monotonic(), max(1.0, load.seconds / 100)
    while (seconds := time.monotonic() - started) < load.seconds:
        time.sleep(min(pause, load.seconds - seconds))
        books.enter()
        taken = sample(time.monotonic() - started, books.server)
        tell(taken)
        yield taken


def sample(seconds: float, server: ParameterServer) -> Sample:
    """What this process holds now."""
    status = Path("/proc/self/status").read_text().splitlines()
    numbers = dict(line.split()[:2] for line in status if len(line.split()) > 1)
    descriptors = len(os.listdir("/proc/self/fd")) - 1  # Without the one that lists them.
    resident = round(int(numbers["VmRSS:"]) / 1024, 1)
    return Sample(round(seconds, 1), server.clock, resident, descriptors, int(numbers["Threads:"]))


class Books:
    """Takes the windows out of the server's history, which is to grow with each, and counts them.

    Args:
        server: whose history it is.
    """

    def __init__(self, server: ParameterServer) -> None:
        self.server = server
        self._windows: dict[int, int] = {}
        self._rows: dict[int, int] = {}
        self._wrong: list[str] = []

    def enter(self) -> None:
        """Takes those that have come since."""
        with self.server._lock:
            records, self.server.history = self.server.history, []
        for record in records:
            expected = self._windows.get(record.worker, 0)
            if record.window != expected:
                self._wrong.append(f"history: {record} where {expected} was next")
            self._windows[record.worker] = expected + 1
            self._rows[record.worker] = self._rows.get(record.worker, 0) + record.samples

    def compared(self, sent: list[Sent]) -> list[str]:
        """Where the workers, the history, the center and the server's counts differ."""
        self.enter()
        server, members = self.server, self.server.snapshot().members
        totals = sum(one.windows for one in sent), sum(one.rows for one in sent)
        wrong = list(self._wrong)
        if (server.clock, server.rows_merged) != totals:
            wrong.append(f"clock and rows: {server.clock}, {server.rows_merged}, not {totals}")
        for one in sent:
            p = one.partition
            told = (one.windows, one.windows, float(one.windows), one.rows)
            known = self._windows.get(p), members[p].sequence, float(server.center[p])
            if (*known, self._rows.get(p)) != told:
                wrong.append(f"worker {p}: {(*known, self._rows.get(p))}, not {told}")
        if len(sent) != server.workers or server.center[len(sent) :].any():
            wrong.append(f"{len(sent)} workers reported, of {server.workers}")
        return wrong


def settled(server: ParameterServer, before: Sample) -> list[str]:
    """What is left behind when every worker has left."""

    def as_before() -> bool:
        now = sample(0.0, server)
        return now.descriptors <= before.descriptors and now.threads <= before.threads

    try:
        wait_for(as_before, f"descriptors and threads are {before[3:]} again")
    except TimeoutError as late:
        return [f"{late}: {sample(0.0, server)}"]
    return [f"unfinished: {server.unfinished}"] if server.unfinished else []


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Until it holds.

    Raises:
        TimeoutError: if that takes too long.
    """
    end = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {TIMEOUT:g} s: {what}")
        time.sleep(0.05)


def unsteady(samples: list[Sample]) -> list[str]:
    """What grew after the warm-up, by medians of the first and the last third."""
    warm = samples[int(len(samples) * WARM_UP) :]
    third = max(1, len(warm) // 3)
    wrong = []
    for name, slack in (
        ("resident_mib", MEMORY_SLACK),
        ("descriptors", DESCRIPTOR_SLACK),
        ("threads", DESCRIPTOR_SLACK),
    ):
        first, last = (
            statistics.median(getattr(one, name) for one in part)
            for part in (warm[:third], warm[-third:])
        )
        if last > first + slack:
            wrong.append(f"{name} grew from {first} to {last}")
    return wrong


@contextmanager
def clients(
    address: tuple[str, int], token: bytes, load: Load
) -> Iterator[list[subprocess.Popen[str]]]:
    """The workers' processes; ended with the block, whatever happens."""
    bounds = [load.workers * part // PROCESSES for part in range(PROCESSES + 1)]
    processes: list[subprocess.Popen[str]] = []
    try:
        for first, last in pairwise(bounds):
            command = [sys.executable, "-m", "tests.load.clients", address[0], str(address[1])]
            command += [str(first), str(last - first), str(load.pause)]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            processes.append(subprocess.Popen(command, **pipes))
            assert processes[-1].stdin is not None
            processes[-1].stdin.write(token.hex() + "\n")
            processes[-1].stdin.flush()
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()


def report_of(process: subprocess.Popen[str]) -> list[Sent]:
    """What a process of workers says when they have left."""
    text, _ = process.communicate(timeout=TIMEOUT)
    return [Sent(**one) for one in json.loads(text)] if text else []


class Complaints(logging.Handler):
    """Everything that the server warns of while the block lasts."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def __enter__(self) -> Complaints:
        logging.getLogger("distkeras").addHandler(self)
        return self

    def __exit__(self, *problem: Any) -> None:
        logging.getLogger("distkeras").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"the server: {record.getMessage()}")
