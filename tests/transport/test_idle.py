"""Who connects and says nothing, or a byte now and then, does not stop the training of others."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from distkeras.messages import HEADER, NONCE, Header, Kind
from distkeras.rules import downpour
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.transport import tcp as tcp_module
from distkeras.transport.client import TcpChannel
from distkeras.transport.frames import Deadline
from distkeras.transport.newcomers import MOST
from distkeras.worker import Assignment, train
from tests.linear import WIDTH, WORKERS, LinearReplica, Table, update
from tests.transport import peers
from tests.transport.peers import PATIENCE, TOKEN, channel_to

ROOT = Path(__file__).parents[2]
MANY = 1000
ROWS, SCHEDULE = Table(40), Schedule(batch_size=4, window=2, epochs=3, seed=0)


@pytest.fixture
def early(address: tuple[str, int]) -> Iterator[TcpChannel]:
    """A worker that was there before all others."""
    with channel_to(address) as channel:
        channel.join(0, 0, 8)
        yield channel


@contextmanager
def idle(address: tuple[str, int], count: int, token: bytes = b"") -> Iterator[subprocess.Popen]:
    """So many connections of another process that say nothing."""
    command = [sys.executable, "-m", "tests.transport.many_connections", address[0]]
    command += [str(address[1]), str(count), token.hex()]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            with suppress(BrokenPipeError):
                process.communicate(timeout=PATIENCE)


def train_one(address: tuple[str, int], partition: int) -> None:
    """A new worker, to its end."""
    with channel_to(address) as channel:
        train(Assignment(partition, 0), ROWS, LinearReplica(4), channel, downpour(), SCHEDULE)


def ours() -> int:
    return sum(thread.name.startswith("distkeras-") for thread in threading.enumerate())


def test_a_thousand_that_say_nothing_leave_room_for_workers(
    server: ParameterServer,
    early: TcpChannel,
    address: tuple[str, int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING), idle(address, MANY) as others:
        train_one(address, 1)
        for sequence in range(10):
            early.exchange(update(sequence))
        train_one(address, 2)
        deadline = Deadline(PATIENCE)
        while ours() > MOST + WORKERS + 3:  # An acceptor, the early worker, the two that left.
            time.sleep(min(0.05, deadline.left()))
        left, _ = others.communicate(timeout=PATIENCE)
    assert 0 <= int(left) <= MOST + WORKERS
    assert server.unfinished == [0]
    assert server.clock == 10 + 2 * 15
    assert sum("gives way" in line for line in caplog.messages) == 1


def test_a_thousand_of_ours_that_compute_are_left_alone(
    server: ParameterServer, early: TcpChannel, address: tuple[str, int]
) -> None:
    with idle(address, MANY, TOKEN) as others:
        train_one(address, 1)
        early.exchange(update(0))
        left, _ = others.communicate(timeout=PATIENCE)
    assert int(left) == MANY
    assert server.clock == 16


def test_the_oldest_newcomer_gives_way_to_one_too_many(
    early: TcpChannel, address: tuple[str, int]
) -> None:
    with ExitStack() as stack:
        newcomers = []
        for _ in range(MOST + WORKERS + 1):
            newcomers.append(stack.enter_context(peers.connected(address)))
            peers.read_exactly(newcomers[-1], HEADER.size + NONCE)
        oldest, second, *_, newest = newcomers
        assert peers.read_all(oldest) == b""
        for waiting in (second, newest):
            waiting.setblocking(False)
            with pytest.raises(BlockingIOError):
                waiting.recv(1)


@contextmanager
def dribbling(connections: list[socket.socket], data: bytes) -> Iterator[threading.Thread]:
    """Sends ``data`` over each connection, a byte at a time."""
    ended = threading.Event()

    def dribble() -> None:
        for byte in data:
            for connection in connections:
                with suppress(OSError):  # It was given up.
                    connection.sendall(bytes([byte]))
            if ended.wait(0.02):
                return

    dribbler = threading.Thread(target=dribble)
    dribbler.start()
    try:
        yield dribbler
    finally:
        ended.set()
        dribbler.join()


def test_who_proves_itself_a_byte_at_a_time_is_given_up_at_the_deadline(
    server: ParameterServer,
    early: TcpChannel,
    address: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tcp_module, "HANDSHAKE_TIMEOUT", 1.0)
    with ExitStack() as stack:
        slow = [stack.enter_context(peers.connected(address)) for _ in range(20)]
        for connection in slow:
            peers.read_exactly(connection, HEADER.size + NONCE)
        with dribbling(slow, Header(Kind.HELLO, length=64).pack() + bytes(64)):
            train_one(address, 1)
            early.exchange(update(0))
            # Each ends, with no further word, although it was never silent for long.
            assert [peers.read_all(connection) for connection in slow] == [b""] * 20
    assert server.clock == 16


def test_a_worker_that_sends_a_byte_at_a_time_holds_up_nobody_but_itself(
    server: ParameterServer, early: TcpChannel, address: tuple[str, int]
) -> None:
    frame = Header(Kind.UPDATE, partition=3, rows=4, length=16).pack()
    frame += np.float32([0.5, 1, 2, 3]).tobytes()
    with ExitStack() as stack:
        slow = [stack.enter_context(peers.authenticated(address)) for _ in range(WORKERS)]
        slow[3].sendall(Header(Kind.JOIN, partition=3, rows=4).pack())
        peers.read_exactly(slow[3], HEADER.size + 4 * WIDTH)
        with dribbling(slow, frame[:-1]) as dribbler:
            train_one(address, 1)
            early.exchange(update(0))
            train_one(address, 2)
            dribbler.join()
        assert server.clock == 31
        slow[3].sendall(frame[-1:])
        answer = peers.read_exactly(slow[3], HEADER.size + 4 * WIDTH)
    assert Header.unpack(answer[: HEADER.size]).kind is Kind.ANSWER
    assert server.clock == 32
