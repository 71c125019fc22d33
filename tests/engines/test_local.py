"""Workers as processes of this machine: one that never gets as far as to connect."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from distkeras.engines import local
from distkeras.engines.local import _Processes
from distkeras.engines.task import Job
from distkeras.errors import ExchangeTimeout
from distkeras.rules import downpour
from distkeras.transport.tcp import TcpServer
from tests.linear import server_of

#: Seconds in which it must be missed, however busy the machine is.
PATIENCE = 60.0


def test_a_process_that_is_stopped_before_it_connects_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "STARTING", 0.0)
    # Of the job no more is asked before the process connects.
    job = Job(None, "a rule", None, None, None, 0, worker_timeout=1.0)  # type: ignore[arg-type]
    server, end = server_of(downpour()), time.monotonic() + PATIENCE
    said = r"^worker 0's process \d+ did not connect to .* within 1 s"

    def wait() -> None:
        while not processes.step(1) and time.monotonic() < end:
            processes.check(server)
            processes.check_started(tcp.leases)

    with (
        TcpServer(server, b"t" * 32) as tcp,
        _Processes(job, [tmp_path / "no rows"]) as processes,
    ):
        processes.step(1)
        (process,) = processes._running.values()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(ExchangeTimeout, match=said):
            wait()
