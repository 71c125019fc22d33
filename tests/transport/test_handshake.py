"""Neither side says a word of the run to one that does not know its token."""

from __future__ import annotations

import logging
import socket

import numpy as np
import pytest

from distkeras.conversation import Failure, Update
from distkeras.errors import AuthenticationError
from distkeras.messages import HEADER, NONCE, Header, Kind
from distkeras.rules import downpour
from distkeras.transport.newcomers import LINES
from distkeras.transport.tcp import TcpServer
from tests.linear import server_of
from tests.transport import peers
from tests.transport.peers import LOOPBACK, TOKEN, channel_to


def test_a_worker_without_the_token_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    server = server_of(downpour())
    with TcpServer(server, TOKEN) as tcp, channel_to(tcp.address, b"w" * 32) as channel:
        refused = rf"{LOOPBACK}:{tcp.address[1]} refused this run's token"
        with pytest.raises(AuthenticationError, match=refused):
            channel.join(0, 0, 8)
    assert any("does not know this run's token" in line for line in caplog.messages)
    assert server.unfinished == []
    assert all("t" * 32 not in line and "w" * 32 not in line for line in caplog.messages)


def test_strangers_do_not_fill_the_log(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "distkeras")
    for _ in range(2 * LINES):
        with peers.connected(address) as stranger:
            peers.read_exactly(stranger, HEADER.size + NONCE)
            stranger.sendall(b"GET / HTTP/1.0\r\n\r\n" + bytes(HEADER.size))
            peers.read_all(stranger)
    with channel_to(address) as channel:
        assert channel.join(0, 0, 8).sequence == 0
    told = [line for line in caplog.messages if "closed the connection from " in line]
    assert len(told) == LINES
    assert all("GET " in line for line in told)
    assert told[-1].endswith("; further strangers are told of on DEBUG")


def test_a_server_without_the_token_gets_no_word_of_the_run() -> None:
    heard: list[bytes] = []

    def impostor(connection: socket.socket) -> None:
        peers.challenge(connection)
        peers.hello_of(connection)
        connection.sendall(Header(Kind.PROVEN, length=32).pack() + bytes(32))
        heard.append(peers.read_all(connection))

    with peers.listening(impostor) as address, channel_to(address) as channel:
        with pytest.raises(AuthenticationError, match="does not know this run's token"):
            channel.join(0, 0, 8)
        with pytest.raises(AuthenticationError):
            channel.exchange(Update(0, 0, 0, 0, 4, np.float32([0.5]), np.float32([1, 2, 3]), 0.0))
        with pytest.raises(AuthenticationError):
            channel.fail(Failure(0, "ValueError", "secret", "secret"))
    assert heard == [b"", b"", b""]


def test_a_proof_cannot_be_sent_back_to_its_maker() -> None:
    def mirror(connection: socket.socket) -> None:
        peers.challenge(connection)
        proven = peers.hello_of(connection)[HEADER.size + NONCE :]
        connection.sendall(Header(Kind.PROVEN, length=32).pack() + proven)
        peers.read_all(connection)

    with (
        peers.listening(mirror) as address,
        channel_to(address) as channel,
        pytest.raises(AuthenticationError),
    ):
        channel.join(0, 0, 8)
