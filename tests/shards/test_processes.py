"""Shards as real processes: what they answer, and what is left when one side is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from distkeras.codecs import CODECS, codec_of
from distkeras.engines.certificates import guard
from distkeras.errors import EnvironmentProblem, TrainingError
from distkeras.rules import RULES, downpour
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.shards import processes
from distkeras.shards.channel import Line, ShardedChannel
from distkeras.shards.coordinator import Coordinator
from distkeras.shards.processes import Opening, started
from distkeras.transport.place import LOOPBACK, Place
from distkeras.transport.tcp import TcpServer
from distkeras.transport.tls import Trust
from distkeras.worker import Assignment, train
from tests.linear import WIDTH, LinearReplica, Table, update
from tests.transport.peers import PATIENCE, TOKEN

HERE = "127.0.0.1"
SCHEDULE = Schedule(batch_size=4, window=3, epochs=2, seed=3)
OPENING = Opening(HERE, TOKEN, timeout=PATIENCE)


def coordinator(rule: str = "ADAG", count: int = 2, codec: str | None = None) -> Coordinator:
    whole = ParameterServer(np.zeros(WIDTH, np.float32), RULES[rule](), workers=1)
    return Coordinator(whole, count, codec)


@contextmanager
def served(
    server: Coordinator, opening: Opening = OPENING, place: Place = LOOPBACK
) -> Iterator[ShardedChannel]:
    """A worker's channel to it and to processes of its own."""
    with TcpServer(server, TOKEN, place) as tcp:
        try:
            ports = started(server, opening)
            codec = codec_of(server.plan.compression)
            line = Line(TOKEN, PATIENCE, opening.trust, codec)
            addresses = [(HERE, port) for port in ports]
            with ShardedChannel(tcp.address, addresses, WIDTH, line) as channel:
                yield channel
        finally:
            server.end()


def learned(rule: str, channel: ShardedChannel | ParameterServer) -> None:
    train(Assignment(0, 0), Table(50), LinearReplica(4), channel, RULES[rule](), SCHEDULE)


def pids(server: Coordinator) -> list[int]:
    return server.shards.pids


def until(condition: Callable[[], bool]) -> None:
    """Waits for what must become true, however busy the machine is."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether a process is there, and more than a name."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("rule", ["ADAG", "AEASGD", "DiLoCo", "GEM", "Experimental"])
def test_the_center_is_that_of_one_server(rule: str) -> None:
    alone = ParameterServer(np.zeros(WIDTH, np.float32), RULES[rule](), workers=1)
    learned(rule, alone)
    server = coordinator(rule)
    with served(server) as channel:
        learned(rule, channel)
        center = server.center_now()[0]
        saved = server.snapshot()
    assert center.tobytes() == alone.center.tobytes()
    known = alone.snapshot()
    assert [one.tobytes() for one in saved.state] == [one.tobytes() for one in known.state]
    for name in ("adopted", "sent"):
        vectors = getattr(saved.members[0], name), getattr(known.members[0], name)
        assert vectors[0].tobytes() == vectors[1].tobytes()
    assert server.center_now()[0] is center


@pytest.mark.parametrize("codec", CODECS)
def test_with_a_codec_and_tls(codec: str) -> None:
    context, trust, pem = guard()
    server = coordinator(codec=codec)
    opening = Opening(HERE, TOKEN, pem=pem, trust=trust, timeout=PATIENCE)
    with served(server, opening, Place(tls=context)) as channel:
        learned("ADAG", channel)
        assert np.abs(server.center_now()[0]).max() > 0
    assert server.rows_merged == 2 * 50


def test_the_driver_trusts_an_authority_by_the_address_that_it_binds() -> None:
    _, trust, pem = guard()
    server = coordinator()
    started(server, Opening(HERE, TOKEN, pem=pem, trust=Trust(trust.pem, host=True)))
    try:
        assert server.snapshot().center.tolist() == [0] * WIDTH
    finally:
        server.end()


def test_one_that_is_killed_ends_the_training_with_a_line_that_names_it() -> None:
    server = coordinator(count=3)
    with served(server) as channel:
        channel.join(0, 0, 8)
        channel.exchange(update(0))
        server.check()
        there = pids(server)
        os.kill(there[1], signal.SIGKILL)
        said = rf"^parameter server 1 at 127\.0\.0\.1:\d+, process {there[1]}, ended while it was "
        with pytest.raises(TrainingError, match=said + "needed: killed by SIGKILL; its slice"):
            server.center_now()
        with pytest.raises(TrainingError, match=said):
            server.check()
    assert not any(map(runs, there))


def test_one_that_is_stopped_is_waited_for_no_longer_than_the_timeout() -> None:
    server = coordinator()
    with served(server, Opening(HERE, TOKEN, timeout=1.0)) as channel:
        channel.join(0, 0, 8)
        channel.exchange(update(0))
        there = pids(server)
        os.kill(there[0], signal.SIGSTOP)
        said = r"^parameter server 0 at .* did not give the center: .* did not answer within 1 s"
        with pytest.raises(TrainingError, match=said):
            server.center_now()
    assert not any(map(runs, there))


def test_all_end_with_their_driver() -> None:
    code = (
        "import sys, time\n"
        "from tests.shards.test_processes import OPENING, coordinator, pids, started\n"
        "server = coordinator()\n"
        "started(server, OPENING)\n"
        "print(*pids(server), flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as driver:
        there = list(map(int, driver.stdout.readline().split()))
        assert len(there) == 2
        assert all(map(runs, there))
        driver.kill()
    until(lambda: not any(map(runs, there)))


def test_ports_are_those_after_the_coordinators() -> None:
    with socket.create_server((HERE, 0)) as taken:
        first = taken.getsockname()[1]
        server = coordinator()
        said = rf"^parameter server 0: cannot listen for workers at {HERE}:{first}: Address already"
        with pytest.raises(EnvironmentProblem, match=said):
            started(server, Opening(HERE, TOKEN, port=first - 1))
        assert server.shards is None
        ports = started(server, Opening(HERE, TOKEN, port=first - 1, retries=16))
        server.end()
    assert len(set(ports)) == 2
    assert all(first < port <= first + 17 for port in ports)


def test_one_that_does_not_listen_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START_TIMEOUT", 0.5)
    # What it is not told it waits for.
    monkeypatch.setattr(processes._Process, "tell", lambda *arguments: None)
    said = (
        r"^parameter server 0, process \d+, ended before it listened: it did not listen within 0.5"
    )
    with pytest.raises(EnvironmentProblem, match=said):
        started(coordinator(), OPENING)


def test_a_training_that_nobody_joins_has_the_center_that_it_began_with() -> None:
    whole = ParameterServer(np.arange(5, dtype=np.float32), downpour(), workers=2)
    server = Coordinator(whole, 5, None)
    started(server, OPENING)
    server.end()
    assert server.center_now()[0].tolist() == [0, 1, 2, 3, 4]
