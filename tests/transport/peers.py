"""What sits at the other end of a connection in these tests: real sockets, odd behaviour."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from distkeras.messages import HEADER, NONCE, Header, Kind
from distkeras.transport.client import TcpChannel
from distkeras.transport.frames import Deadline, Wire
from distkeras.transport.handshake import authenticate_server
from tests.linear import WIDTH

LOOPBACK = "127.0.0.1"
TOKEN = b"t" * 32
#: Seconds that an exchange with a healthy peer may take, however busy the machine is.
PATIENCE = 60.0


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[tuple[str, int]]:
    """A server that does ``serve`` with each connection; gives its address."""
    listener = socket.create_server((LOOPBACK, 0))
    taken: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve_one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            serve(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                taken.append(connection)
                threads.append(threading.Thread(target=serve_one, args=(connection,)))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield listener.getsockname()
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()
        listener.close()
        for connection in taken:
            shut(connection)
        for thread in threads:
            thread.join()


def shut(connection: socket.socket) -> None:
    """Ends a connection; whoever waits in it wakes up."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def read_exactly(connection: socket.socket, count: int) -> bytes:
    """So many bytes; fewer only if the other side closed."""
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            break
        data += more
    return data


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes, however it does."""
    data = b""
    with suppress(ConnectionError):
        while more := connection.recv(65536):
            data += more
    return data


def challenge(connection: socket.socket) -> None:
    """What a server says first."""
    nonce = b"c" * NONCE
    connection.sendall(Header(Kind.CHALLENGE, length=NONCE).pack() + nonce)


def hello_of(connection: socket.socket) -> bytes:
    """What a client answers."""
    return read_exactly(connection, HEADER.size + NONCE + 32)


def channel_to(
    address: tuple[str, int], token: bytes = TOKEN, timeout: float = PATIENCE
) -> TcpChannel:
    """A worker's channel for the model of ``tests.linear``."""
    return TcpChannel(address, token, WIDTH, timeout)


def connected(address: tuple[str, int]) -> socket.socket:
    """A plain connection to a server."""
    return socket.create_connection(address, timeout=PATIENCE)


@contextmanager
def authenticated(address: tuple[str, int], token: bytes = TOKEN) -> Iterator[socket.socket]:
    """A connection that has proved itself and then says what the test wants."""
    with connected(address) as connection:
        authenticate_server(Wire(connection, "server", Deadline(PATIENCE)), token)
        connection.settimeout(PATIENCE)
        yield connection


class CuttingProxy:
    """Passes bytes on between clients and a server, and cuts the first connection.

    Args:
        target: the server's address.
        up: cut when so many bytes went to the server; None for never.
        down: cut when so many bytes came back; None for never.

    Bytes beyond the cut are not passed on; both sides then see the connection end.
    """

    def __init__(
        self, target: tuple[str, int], up: int | None = None, down: int | None = None
    ) -> None:
        self._target = target
        self._limits = up, down
        self.connections = 0

    def serve(self, client: socket.socket) -> None:
        """Passes one connection on; for ``listening``."""
        up, down = self._limits if self.connections == 0 else (None, None)
        self.connections += 1
        with connected(self._target) as server:
            backward = threading.Thread(target=pump, args=(server, client, down))
            backward.start()
            pump(client, server, up)
            backward.join()


def pump(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
    """Copies until one side ends, or the limit is reached; then ends both."""
    passed = 0
    with suppress(OSError):
        while limit is None or passed < limit:
            wanted = 65536 if limit is None else limit - passed
            data = source.recv(wanted)
            if not data:
                break
            sink.sendall(data)
            passed += len(data)
    shut(source)
    shut(sink)


def end(connection: socket.socket) -> None:
    """Says that nothing more will come; what comes back can still be read."""
    with suppress(OSError):  # The other side may have hung up at once.
        connection.shutdown(socket.SHUT_WR)
