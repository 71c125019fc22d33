"""A process that opens many connections and says nothing; so that the test keeps its descriptors.

    python -m tests.transport.many_connections HOST PORT COUNT [TOKEN in hex]

With a token each connection proves itself first. Writes "open" when all are, holds them until its
standard input ends, and then writes how many of them the server has left open.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

from distkeras.transport.frames import Deadline, Wire
from distkeras.transport.handshake import authenticate_server
from tests.transport.peers import PATIENCE


def opened(address: tuple[str, int], token: bytes) -> socket.socket:
    connection = socket.create_connection(address, timeout=PATIENCE)
    if token:
        authenticate_server(Wire(connection, "server", Deadline(PATIENCE)), token)
    return connection


def is_open(connection: socket.socket) -> bool:
    """Whether the server has not hung up; what it said before is passed over."""
    connection.setblocking(False)
    with suppress(ConnectionError):
        try:
            while connection.recv(4096):
                pass
        except BlockingIOError:
            return True
    return False


def main(host: str, port: str, count: str, token: str = "") -> None:
    held = [opened((host, int(port)), bytes.fromhex(token)) for _ in range(int(count))]
    print("open", flush=True)
    sys.stdin.read()
    print(sum(map(is_open, held)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
