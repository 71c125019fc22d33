"""The driver's side of the shards: starts their processes, asks them, and ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from distkeras.checkpoints.content import Saved, pack, unpack
from distkeras.errors import DistkerasError, EnvironmentProblem, TrainingError
from distkeras.logs import logger
from distkeras.members import Snapshot
from distkeras.messages import Header, Kind
from distkeras.shards.coordinator import Coordinator, Plan
from distkeras.shards.process import write
from distkeras.transport.frames import Deadline, Wire
from distkeras.transport.handshake import connect
from distkeras.transport.tls import Trust
from distkeras.vectors import Vector

__all__ = ["Opening", "ShardProcesses", "started"]

log = logger(__name__)

#: Seconds that the processes may take until they listen.
START_TIMEOUT = 60.0
#: Seconds that a process may take to end when it is asked to, or when its connection was lost.
END_TIMEOUT = 5.0
#: Bytes in one piece of a shard's state, at most.
MOST_PIECE = 64 * 2**20


@dataclass(frozen=True)
class Opening:
    """Where the shards listen, and for whom.

    Attributes:
        host: the address to bind.
        token: the run's secret.
        port: of the coordinator, where it is one that the user has named: the shards have those
            after it; 0 for any free ones.
        retries: ports above its own that each tries where that is taken.
        pem: key and certificate; empty for no TLS.
        trust: what the certificate is known by; None likewise.
        timeout: seconds that a shard may take to answer.
    """

    host: str
    token: bytes
    port: int = 0
    retries: int = 0
    pem: str = ""
    trust: Trust | None = None
    timeout: float = 60.0


def started(coordinator: Coordinator, opening: Opening) -> list[int]:
    """Starts the coordinator's shards, which it ends; the ports of all, in their order.

    Raises:
        EnvironmentProblem: if one of them cannot serve.
    """
    shards = ShardProcesses(coordinator.plan, coordinator.parts(), opening)
    coordinator.shards = shards
    return shards.ports


class ShardProcesses:
    """The processes of all shards of a training; see ``coordinator.Shards``.

    Args:
        plan: what they are.
        parts: what each begins with.
        opening: where they listen.

    Attributes:
        ports: of each.
        pids: likewise, the numbers of the processes.

    Raises:
        EnvironmentProblem: if one of them cannot serve.
    """

    def __init__(self, plan: Plan, parts: Sequence[Snapshot], opening: Opening) -> None:
        self._cuts = plan.cuts
        self._processes: list[_Process] = []
        late = threading.Timer(START_TIMEOUT, self._give_up)
        late.daemon = True
        try:
            # All are started before the first is waited for.
            for number, size in enumerate(plan.cuts.sizes):
                self._processes.append(_Process(number, size, opening))
            late.start()
            for process, part in zip(self._processes, parts, strict=True):
                process.tell(plan, part)
            self.ports = [process.listens() for process in self._processes]
            self.pids = [process.pid for process in self._processes]
        except BaseException:
            self.end()
            raise
        finally:
            late.cancel()

    def mark(self, sequences: Sequence[int]) -> None:
        """See ``Shards``."""
        told = np.array(sequences, np.uint64).view(np.uint8)
        for process in self._processes:
            list(process.ask(Kind.MARK, told))

    def center(self) -> Vector:
        """See ``Shards``."""
        whole = np.empty(self._cuts.size, np.float32)
        for process, place in zip(self._processes, self._cuts.slices, strict=True):
            for payload in process.ask(Kind.CENTER):
                whole[place] = payload.view(np.float32)
        return whole

    def states(self) -> list[Snapshot]:
        """See ``Shards``."""
        return [
            unpack(piece.tobytes() for piece in process.ask(Kind.STATE)).snapshot
            for process in self._processes
        ]

    def check(self) -> None:
        """See ``Shards``."""
        for process in self._processes:
            process.check()

    def end(self) -> None:
        """See ``Shards``."""
        for process in self._processes:
            process.leave()
        deadline = time.monotonic() + END_TIMEOUT
        for process in self._processes:
            process.end(deadline)

    def _give_up(self) -> None:
        for process in self._processes:
            process.is_overdue()


class _Process:
    """One shard's process, and the driver's connection to it."""

    def __init__(self, number: int, size: int, opening: Opening) -> None:
        self._number, self._size, self._opening = number, size, opening
        self._port = 0
        self._overdue = False
        self._wire: Wire | None = None
        path = os.pathsep.join(one or os.getcwd() for one in sys.path)
        # The interrupt of a terminal is for the driver, which ends this one.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "distkeras.shards.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def name(self) -> str:
        """For messages."""
        at = f" at {self._opening.host}:{self._port}" if self._port else ""
        return f"parameter server {self._number}{at}, process {self._process.pid},"

    def tell(self, plan: Plan, part: Snapshot) -> None:
        """Says what it serves."""
        opening = self._opening
        port = opening.port and min(opening.port + 1 + self._number, 2**16 - 1)
        told: dict[str, Any] = {
            "parent": os.getpid(),
            "host": opening.host,
            "port": port,
            "retries": opening.retries,
            "token": opening.token.hex(),
            "pem": opening.pem,
            "rule": plan.rule,
            "compression": plan.compression,
            "workers": plan.workers,
            "overlap": plan.overlap,
        }
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # ``listens`` says why.
            write(self._process.stdin, told, pack(Saved({}, part)))

    def listens(self) -> int:
        """Waits until it does; the port.

        Raises:
            EnvironmentProblem: if it cannot.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise EnvironmentProblem(f"{self.name} ended before it listened: {self._status()}")
        said = json.loads(line)
        if "problem" in said:
            raise EnvironmentProblem(f"parameter server {self._number}: {said['problem']}")
        self._port = int(said["port"])
        log.info("%s listens", self.name)
        return self._port

    def ask(self, kind: Kind, *parts: Any) -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
        """What it answers, in pieces.

        Raises:
            TrainingError: if it does not.
        """
        try:
            wire = self._connected()
            wire.deadline = Deadline(self._opening.timeout)
            wire.send(Header(kind), *parts)
            while True:
                header, payload = wire.expect(kind, Kind.DONE, Kind.REFUSED)
                if header.kind is Kind.REFUSED:
                    raise TrainingError(bytes(payload).decode(errors="replace"))
                if header.kind is Kind.DONE:
                    return
                yield payload
                if kind is Kind.CENTER:
                    return
                wire.deadline.renew()
        except (DistkerasError, OSError) as problem:
            self._drop()
            with suppress(subprocess.TimeoutExpired):  # It may be just about to end.
                if isinstance(problem, ConnectionError):
                    self._process.wait(END_TIMEOUT)
            self.check()
            raise TrainingError(f"{self.name} did not give the center: {problem}") from problem

    def check(self) -> None:
        """Raises if it has ended."""
        if self._process.poll() is not None:
            raise TrainingError(
                f"{self.name} ended while it was needed: {self._status()}; its slice of the "
                "center is lost"
            )

    def leave(self) -> None:
        """Asks it to end."""
        self._drop()
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def end(self, deadline: float) -> None:
        """Waits until it has ended, and ends it at the deadline, of the monotonic clock."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()  # One that is stopped hears nothing else.
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def is_overdue(self) -> None:
        """Ends it, as it does not listen; whoever waits for that wakes up."""
        self._overdue = True
        self._process.kill()

    def _connected(self) -> Wire:
        opening = self._opening
        if self._wire is None:
            # By the address that it binds, which the certificate need not name; it knows the token.
            trust = opening.trust and opening.trust._replace(host=False)
            address = opening.host, self._port
            self._wire = connect(address, opening.token, trust, Deadline(opening.timeout))
            self._wire.trust(max(4 * self._size, MOST_PIECE))
        return self._wire

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _status(self) -> str:
        if self._overdue:
            return f"it did not listen within {START_TIMEOUT:g} s"
        status = self._process.returncode
        if status is not None and status < 0:
            return f"killed by {signal.Signals(-status).name}"
        return f"status {status}"
