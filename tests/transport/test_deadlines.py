"""A worker waits for its server until the deadline, and then says for whom it waited."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from distkeras.errors import ExchangeTimeout
from distkeras.rules import downpour
from distkeras.transport.frames import Deadline, Wire
from distkeras.transport.handshake import authenticate_client
from distkeras.transport.place import Place
from distkeras.transport.tcp import TcpServer
from tests.linear import server_of
from tests.transport import peers
from tests.transport.peers import LOOPBACK, PATIENCE, TOKEN, channel_to

SHORT = 1.0


def late(address: tuple[str, int]) -> str:
    """Who waited for whom, where, and for how long."""
    where = rf"the parameter server at {LOOPBACK}:{address[1]}"
    return rf"^worker 0 waited in vain: {where} did not answer within 1 s$"


@pytest.fixture
def holes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[tuple[str, int], int], None]]:
    """Gives the name "driver" addresses that swallow what is sent, before one that may not."""
    resolve, opened = socket.getaddrinfo, ExitStack()

    def lead_nowhere(host: str, port: int) -> None:
        listener = opened.enter_context(socket.create_server((host, port), backlog=0))
        for _ in range(3):  # More than its queue holds: whoever comes now is not heard.
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())

    def give(last: tuple[str, int], holes: int) -> None:
        hosts = [f"127.0.1.{number}" for number in range(1, holes + 1)]
        for host in hosts:
            lead_nowhere(host, last[1])

        def resolved(host: str, port: int, *rest: int, **more: int) -> list[tuple[Any, ...]]:
            names = [*hosts, last[0]] if host == "driver" else [host]
            return [found for name in names for found in resolve(name, port, *rest, **more)]

        monkeypatch.setattr(socket, "getaddrinfo", resolved)

    with opened:
        yield give


def test_an_address_that_leads_nowhere_does_not_keep_from_the_next(
    holes: Callable[[tuple[str, int], int], None],
) -> None:
    with TcpServer(server_of(downpour()), TOKEN) as tcp:
        holes(tcp.address, 1)
        with channel_to(("driver", tcp.address[1]), timeout=4.0) as channel:
            assert channel.join(0, 0, 8).sequence == 0


def test_however_many_addresses_lead_nowhere_the_deadline_is_one(
    holes: Callable[[tuple[str, int], int], None],
) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        closed = listener.getsockname()
    holes(closed, 15)
    began = time.monotonic()
    with (
        channel_to(("driver", closed[1]), timeout=SHORT) as channel,
        pytest.raises(ExchangeTimeout, match=rf"server at driver:{closed[1]} within 1 s"),
    ):
        channel.join(0, 0, 8)
    assert time.monotonic() - began < SHORT + 5.0


def test_a_server_that_never_answers_is_named_at_the_deadline() -> None:
    with (
        peers.listening(peers.read_all) as address,
        channel_to(address, timeout=SHORT) as channel,
        pytest.raises(ExchangeTimeout, match=late(address)),
    ):
        channel.join(0, 0, 8)


def test_a_server_that_falls_silent_after_the_handshake_is_named_at_the_deadline() -> None:
    def fall_silent(connection: socket.socket) -> None:
        authenticate_client(Wire(connection, "worker", Deadline(PATIENCE)), TOKEN)
        peers.read_all(connection)

    with (
        peers.listening(fall_silent) as address,
        channel_to(address, timeout=SHORT) as channel,
        pytest.raises(ExchangeTimeout, match=late(address)),
    ):
        channel.join(0, 0, 8)


def test_a_closed_port_is_named_at_the_deadline() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        closed = listener.getsockname()
    said = (
        rf"^worker 0 could not reach the parameter server at {LOOPBACK}:{closed[1]} within 0\.3 s"
    )
    with (
        channel_to(closed, timeout=0.3) as channel,
        pytest.raises(ExchangeTimeout, match=said),
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
