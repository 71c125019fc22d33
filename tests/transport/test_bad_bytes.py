"""Bytes that are no frames close the one connection they came on, and touch nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distkeras.conversation import Update
from distkeras.errors import ProtocolError
from distkeras.messages import HEADER, MAX_TEXT, NONCE, Header, Kind
from distkeras.rules import downpour
from distkeras.server import ParameterServer
from distkeras.transport.client import TcpChannel
from distkeras.transport.tcp import TcpServer
from tests.linear import WIDTH, server_of, update
from tests.transport import peers
from tests.transport.peers import PATIENCE, TOKEN

UPDATE = Header(Kind.UPDATE, rows=4)
JOIN = Header(Kind.JOIN, rows=4)
#: Loss and vector of an update.
PAYLOAD = np.float32([0.5, 1, 2, 3]).tobytes()


@pytest.fixture(scope="module")
def server() -> ParameterServer:
    return server_of(downpour())


@pytest.fixture(scope="module")
def address(server: ParameterServer) -> Iterator[tuple[str, int]]:
    with TcpServer(server, TOKEN) as tcp:
        yield tcp.address


@pytest.fixture(scope="module")
def worker(address: tuple[str, int]) -> Iterator[Worker]:
    """A worker that goes on, whatever others send; it uses one connection all the time."""
    with TcpChannel(address, TOKEN, WIDTH, PATIENCE) as channel:
        yield Worker(channel)


class Worker:
    def __init__(self, channel: TcpChannel) -> None:
        self._channel = channel
        self._channel.join(9, 0, 8)
        self._sequence = 0

    def exchange(self) -> None:
        update = Update(9, 0, 0, self._sequence, 4, np.float32([0.5]), np.zeros(3, np.float32), 0.0)
        self._channel.exchange(update)
        self._sequence += 1


def framed(header: Header, payload: bytes = b"", **changed: int) -> bytes:
    return header._replace(length=len(payload), **changed).pack() + payload


def altered(offset: int, value: bytes) -> bytes:
    data = bytearray(framed(UPDATE, PAYLOAD))
    data[offset : offset + len(value)] = value
    return bytes(data)


BAD = [
    pytest.param(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n" * 3, b"", id="another protocol"),
    pytest.param(altered(0, b"XXXX"), b"", id="wrong magic"),
    pytest.param(altered(4, b"\x07"), b"", id="wrong version"),
    pytest.param(altered(5, b"\x63"), b"", id="unknown kind"),
    pytest.param(altered(6, b"\x63"), b"", id="unknown codec"),
    pytest.param(
        altered(6, b"\x02"),
        b"worker 0 sent UPDATE with the codec int8, not none",
        id="a codec of another training",
    ),
    pytest.param(
        framed(JOIN, codec=1), b"worker 0 sent JOIN with the codec bfloat16", id="nothing packed"
    ),
    pytest.param(UPDATE._replace(length=2**63).pack(), b"", id="a length that lies"),
    pytest.param(framed(UPDATE, PAYLOAD[:-4]), b"sent 12 bytes, not 16", id="vector too short"),
    pytest.param(framed(UPDATE, PAYLOAD + b"1234"), b"sent 20 bytes, not 16", id="vector too long"),
    pytest.param(framed(UPDATE), b"sent 0 bytes, not 16", id="no vector"),
    pytest.param(framed(Header(Kind.ANSWER)), b"ANSWER came", id="a kind of the server's"),
    pytest.param(framed(Header(Kind.HELLO), bytes(64)), b"HELLO came", id="a kind out of turn"),
    pytest.param(framed(UPDATE, PAYLOAD), b"worker 0 spoke before it joined", id="a stranger"),
    pytest.param(framed(Header(Kind.LEAVE)), b"worker 0 spoke before it joined", id="leaves first"),
    pytest.param(framed(JOIN, PAYLOAD), b"JOIN came with 16 bytes, not 0", id="too much said"),
    pytest.param(
        framed(Header(Kind.FAIL), bytes(MAX_TEXT + 1)),
        b"FAIL came with 65537 bytes, not 65536",
        id="a book of a failure",
    ),
    pytest.param(
        framed(JOIN, partition=2**32 - 1), b"worker 4294967295 is none of the 16", id="no worker"
    ),
    pytest.param(framed(JOIN, rows=0), b"worker 0 joined with 0 rows", id="no rows"),
    pytest.param(framed(JOIN, rows=2**63), b"joined with 9223372036854775808 rows", id="all rows"),
]


@pytest.mark.parametrize(("data", "refusal"), BAD)
def test_the_connection_is_closed_and_the_others_go_on(
    server: ParameterServer,
    address: tuple[str, int],
    worker: Worker,
    caplog: pytest.LogCaptureFixture,
    data: bytes,
    refusal: bytes,
) -> None:
    worker.exchange()
    before, clock = server.center, server.clock
    with caplog.at_level(logging.WARNING), peers.authenticated(address) as connection:
        connection.sendall(data)
        answer = peers.read_all(connection)
    assert server.center is before
    assert server.clock == clock
    if refusal:
        header = Header.unpack(answer[: HEADER.size])
        assert header.kind is Kind.REFUSED
        assert answer[HEADER.size :].startswith(b"ProtocolError: ")
        assert refusal in answer
    else:
        assert answer == b""
    assert any("closed the connection from 127.0.0.1:" in line for line in caplog.messages)
    worker.exchange()


@given(cut=st.integers(0, HEADER.size + len(PAYLOAD) - 1))
def test_a_truncated_frame_is_not_merged(
    server: ParameterServer, address: tuple[str, int], worker: Worker, cut: int
) -> None:
    clock = server.clock
    with peers.authenticated(address) as connection:
        join = framed(Header(Kind.JOIN, rows=4))
        connection.sendall(join + framed(UPDATE, PAYLOAD)[:cut])
        peers.end(connection)
        assert Header.unpack(peers.read_all(connection)[: HEADER.size]).kind is Kind.WELCOME
    assert server.clock == clock
    worker.exchange()


@given(data=st.binary(max_size=300))
def test_garbage_after_the_handshake_changes_nothing(
    server: ParameterServer, address: tuple[str, int], worker: Worker, data: bytes
) -> None:
    before = server.center
    with peers.authenticated(address) as connection:
        connection.sendall(data)
        peers.end(connection)
        assert peers.read_all(connection) == b""
    assert server.center is before
    worker.exchange()


@given(data=st.binary(max_size=300) | st.binary(max_size=64).map(lambda b: framed(HELLO, b)))
def test_garbage_instead_of_the_handshake_gets_no_more_than_a_no(
    server: ParameterServer, address: tuple[str, int], worker: Worker, data: bytes
) -> None:
    members = server.unfinished
    with peers.connected(address) as connection:
        challenge = peers.read_exactly(connection, HEADER.size + NONCE)
        assert Header.unpack(challenge[: HEADER.size]).kind is Kind.CHALLENGE
        connection.sendall(data)
        peers.end(connection)
        assert peers.read_all(connection) in (b"", Header(Kind.REFUSED).pack())
    assert server.unfinished == members
    worker.exchange()


HELLO = Header(Kind.HELLO)


def test_verbs_before_the_handshake_are_not_heard(
    server: ParameterServer, address: tuple[str, int]
) -> None:
    with peers.connected(address) as connection:
        connection.sendall(framed(Header(Kind.JOIN, partition=77, rows=8)))
        data = peers.read_all(connection)
    assert data == b"" or Header.unpack(data[: HEADER.size]).kind is Kind.CHALLENGE
    assert 77 not in server.unfinished


def test_one_connection_may_speak_for_two_workers_and_each_has_its_own_windows(
    server: ParameterServer, address: tuple[str, int]
) -> None:
    with TcpChannel(address, TOKEN, WIDTH, PATIENCE) as channel:
        for partition in (10, 11):
            assert channel.join(partition, 0, 4).sequence == 0
        for sequence, partition in ((0, 10), (0, 11), (1, 11)):
            channel.exchange(update(sequence, partition=partition))
        with pytest.raises(ProtocolError, match="worker 10 sent window 2, but 1 is next"):
            channel.exchange(update(2, partition=10))
        assert channel.join(10, 1, 4).sequence == 1
        assert channel.join(11, 1, 4).sequence == 2
