"""A living worker keeps its partition; one that is gone or silent for too long does not."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from distkeras.errors import ExchangeTimeout, TrainingError
from distkeras.messages import Header, Kind
from distkeras.rules import downpour
from distkeras.transport import leases
from distkeras.transport.frames import Deadline, Wire
from distkeras.transport.tcp import TcpServer
from tests.linear import server_of, update
from tests.transport import peers
from tests.transport.peers import PATIENCE, TOKEN, channel_to

#: A worker in a process of its own: joins, says so, and lives until its input ends.
WORKER = """
import sys
from tests.transport.peers import channel_to
with channel_to(("127.0.0.1", int(sys.argv[1])), timeout=float(sys.argv[2])) as channel:
    def say(word):
        print(word, flush=True)
        sys.stdin.readline()
    channel.announce(0, 0)
    say("announced")
    channel.join(0, 0, 8)
    say("joined")
    channel.leave(0, 0, 0.0)
    say("left")
"""

#: How a worker that says nothing is named.
SILENT = r"heard nothing of worker 0 at 127\.0\.0\.1:\d+ for 1 s \(worker_timeout\)"
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


@contextmanager
def worker(
    port: int, timeout: float = PATIENCE, until: str = "joined"
) -> Iterator[subprocess.Popen[str]]:
    """A process that is the first attempt at worker 0, and has come so far."""
    command = [sys.executable, "-c", WORKER, str(port), str(timeout)]
    process = subprocess.Popen(command, text=True, **PIPES)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        while process.stdout.readline() != f"{until}\n":
            assert process.poll() is None
            process.stdin.write("\n")
            process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.communicate()


class Second:
    """The second attempt at worker 0, in a thread: what it was welcomed with, or why it was not."""

    def __init__(self, address: tuple[str, int], timeout: float = PATIENCE) -> None:
        self.outcome: list[object] = []
        self._place = address, timeout
        self._thread = threading.Thread(target=self._join)
        self._thread.start()

    def _join(self) -> None:
        address, timeout = self._place
        with channel_to(address, timeout=timeout) as channel:
            try:
                self.outcome.append(channel.join(0, 1, 8).sequence)
            except TrainingError as problem:
                self.outcome.append(problem)

    def ends(self) -> object:
        """What came of it."""
        self._thread.join(PATIENCE)
        return self.outcome[0]


def eventually(holds: Callable[[], bool]) -> None:
    """Waits until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def stop(process: subprocess.Popen[str]) -> None:
    """Stops it, and waits until the kernel has."""
    process.send_signal(signal.SIGSTOP)
    eventually(lambda: "T (stopped)" in Path(f"/proc/{process.pid}/status").read_text())


def is_silent(tcp: TcpServer) -> bool:
    """Whether somebody has not been heard of for a second."""
    try:
        tcp.leases.check(1.0)
    except ExchangeTimeout:
        return True
    return False


def test_a_second_attempt_waits_while_the_first_lives_and_has_nothing_left_to_do() -> None:
    server = server_of(downpour())
    server.patience = 0.2
    with (
        TcpServer(server, TOKEN, lease=PATIENCE) as tcp,
        channel_to(tcp.address) as first,
    ):
        first.join(0, 0, 8)
        second = Second(tcp.address, timeout=1.0)
        first.exchange(update(0))
        # Longer than its own deadline: the server's signs of life make it patient.
        time.sleep(1.5)
        first.exchange(update(1))
        assert not second.outcome
        first.leave(0, 0, 0.0)
        assert second.ends() == 2


def test_a_second_attempt_takes_over_from_a_killed_one() -> None:
    with (
        TcpServer(server_of(downpour()), TOKEN, lease=PATIENCE) as tcp,
        worker(tcp.address[1]) as process,
    ):
        second = Second(tcp.address)
        process.kill()
        assert second.ends() == 0


def test_a_stopped_one_is_superseded_after_the_lease_and_is_told_so_when_it_goes_on() -> None:
    server = server_of(downpour())
    with TcpServer(server, TOKEN, lease=1.0) as tcp, worker(tcp.address[1]) as process:
        stop(process)
        assert Second(tcp.address).ends() == 0
        process.send_signal(signal.SIGCONT)
        _, told = process.communicate(timeout=PATIENCE)
    assert "Superseded: attempt 0 at worker 0 was superseded by 1" in told


def test_a_worker_that_computes_is_not_silent() -> None:
    with (
        TcpServer(server_of(downpour()), TOKEN) as tcp,
        channel_to(tcp.address, timeout=0.6) as one,
    ):
        one.join(0, 0, 8)
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            tcp.leases.check(1.0)
            time.sleep(0.05)


def test_a_worker_stopped_for_longer_is_named_and_one_stopped_for_less_goes_on() -> None:
    with TcpServer(server_of(downpour()), TOKEN) as tcp, worker(tcp.address[1], 0.6) as process:
        stop(process)
        with pytest.raises(ExchangeTimeout, match=SILENT):
            eventually(lambda: tcp.leases.check(1.0) is not None)
        process.send_signal(signal.SIGCONT)
        eventually(lambda: not is_silent(tcp))


@pytest.mark.parametrize("until", ["announced", "left"])
def test_a_worker_stopped_before_it_joins_or_after_it_has_left_is_named_too(
    until: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "STARTING", 0.0)
    with (
        TcpServer(server_of(downpour()), TOKEN) as tcp,
        worker(tcp.address[1], 0.6, until) as process,
    ):
        stop(process)
        with pytest.raises(ExchangeTimeout, match=SILENT):
            eventually(lambda: tcp.leases.check(1.0) is not None)
        process.send_signal(signal.SIGCONT)
        eventually(lambda: not is_silent(tcp))


def test_the_next_attempt_of_a_killed_worker_is_missed_when_it_falls_silent_before_it_joins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "STARTING", 0.0)
    with TcpServer(server_of(downpour()), TOKEN) as tcp, worker(tcp.address[1]) as process:
        process.kill()
        with peers.authenticated(tcp.address) as connection:
            second = Wire(connection, "server", Deadline(PATIENCE))
            second.send(Header(Kind.ALIVE, attempt=1))
            second.expect(Kind.DONE)
            with pytest.raises(ExchangeTimeout, match=SILENT):
                eventually(lambda: tcp.leases.check(1.0) is not None)


def test_what_a_worker_imports_may_hold_it_up_before_it_joins() -> None:
    with (
        TcpServer(server_of(downpour()), TOKEN) as tcp,
        worker(tcp.address[1], 0.6, "announced") as process,
    ):
        stop(process)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            tcp.leases.check(1.0)
            time.sleep(0.05)


def test_a_copy_that_waits_is_not_missed_while_the_first_lives() -> None:
    with (
        TcpServer(server_of(downpour()), TOKEN) as tcp,
        channel_to(tcp.address, timeout=0.6) as first,
        channel_to(tcp.address) as second,
    ):
        first.join(0, 0, 8)
        second.announce(0, 1)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            tcp.leases.check(1.0)
            time.sleep(0.05)


def test_who_is_gone_is_not_waited_for_here() -> None:
    with TcpServer(server_of(downpour()), TOKEN) as tcp, worker(tcp.address[1]) as process:
        process.kill()
        process.wait()
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            tcp.leases.check(1.0)
            time.sleep(0.05)


def test_an_attempt_that_waits_is_told_when_the_run_ends() -> None:
    server = server_of(downpour())
    server.patience = 0.1
    with (
        TcpServer(server, TOKEN) as tcp,
        channel_to(tcp.address) as first,
        peers.authenticated(tcp.address) as connection,
    ):
        first.join(0, 0, 8)
        second = Wire(connection, "server", Deadline(PATIENCE))
        second.send(Header(Kind.JOIN, attempt=1, rows=8))
        second.expect(Kind.PATIENCE)
        tcp.leases.close()
        kind = Kind.PATIENCE
        while kind is Kind.PATIENCE:
            (kind, *_), text = second.receive()
    assert bytes(text) == b"TrainingError: the run ended while worker 0 waited"
