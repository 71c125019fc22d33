"""A server of the model of ``tests.linear``, in this process and on a port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from distkeras.rules import downpour
from distkeras.server import ParameterServer
from distkeras.transport.tcp import TcpServer
from tests.linear import server_of
from tests.transport.peers import TOKEN


@pytest.fixture
def server() -> ParameterServer:
    return server_of(downpour())


@pytest.fixture
def address(server: ParameterServer) -> Iterator[tuple[str, int]]:
    with TcpServer(server, TOKEN) as tcp:
        yield tcp.address
