"""A worker waits for its server until the deadline, and then says for whom it waited."""

from __future__ import annotations

import socket
import threading

import pytest

from distkeras.errors import ExchangeTimeout
from distkeras.rules import downpour
from distkeras.transport.frames import Deadline, Wire
from distkeras.transport.handshake import authenticate_client
from distkeras.transport.tcp import Place, TcpServer
from tests.linear import server_of
from tests.transport import peers
from tests.transport.peers import LOOPBACK, PATIENCE, TOKEN, channel_to

SHORT = 1.0


def test_a_server_that_never_answers_is_named_at_the_deadline() -> None:
    with (
        peers.listening(peers.read_all) as address,
        channel_to(address, timeout=SHORT) as channel,
        pytest.raises(ExchangeTimeout, match=rf"{LOOPBACK}:{address[1]} did not answer within 1 s"),
    ):
        channel.join(0, 0, 8)


def test_a_server_that_falls_silent_after_the_handshake_is_named_at_the_deadline() -> None:
    def fall_silent(connection: socket.socket) -> None:
        authenticate_client(Wire(connection, "worker", Deadline(PATIENCE)), TOKEN)
        peers.read_all(connection)

    with (
        peers.listening(fall_silent) as address,
        channel_to(address, timeout=SHORT) as channel,
        pytest.raises(ExchangeTimeout, match=rf"{LOOPBACK}:{address[1]} did not answer within 1 s"),
    ):
        channel.join(0, 0, 8)


def test_a_closed_port_is_named_at_the_deadline() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        closed = listener.getsockname()
    with (
        channel_to(closed, timeout=0.3) as channel,
        pytest.raises(
            ExchangeTimeout,
            match=rf"could not reach the parameter server at {LOOPBACK}:{closed[1]} within 0\.3 s",
        ),
    ):
        channel.join(0, 0, 8)


def test_a_server_that_comes_later_is_found() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        address = listener.getsockname()
    welcomed: list[int] = []

    def work() -> None:
        with channel_to(address) as channel:
            welcomed.append(channel.join(0, 0, 8).sequence)

    worker = threading.Thread(target=work)
    worker.start()
    with TcpServer(server_of(downpour()), TOKEN, Place(port=address[1])):
        worker.join()
    assert welcomed == [0]
