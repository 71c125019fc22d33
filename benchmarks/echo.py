"""A bare echo over TCP: what bytes cost on this machine without frames, checks or merging."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

Address = tuple[str, int]


@contextmanager
def server(size: int, clients: int) -> Iterator[Address]:
    """A thread for each client receives 4 * size bytes into one buffer, and sends them back."""

    def back(wire: socket.socket) -> None:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = bytearray(4 * size)
        with wire:
            while _fill(wire, buffer):
                wire.sendall(buffer)

    def accept(listener: socket.socket) -> None:
        for _ in range(clients):
            threading.Thread(target=back, args=(listener.accept()[0],), daemon=True).start()

    with closing(socket.create_server(("127.0.0.1", 0), backlog=clients)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()


@contextmanager
def connected(address: Address, timeout: float) -> Iterator[socket.socket]:
    """A client's connection; the timeout, in seconds, is that of each call."""
    with socket.create_connection(address, timeout) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield wire


def exchange(wire: socket.socket, sent: bytearray, answer: bytearray) -> None:
    """Sends, and takes as many bytes back."""
    wire.sendall(sent)
    if not _fill(wire, answer):
        raise ConnectionError("the echo has ended")


def _fill(wire: socket.socket, buffer: bytearray) -> bool:
    """Whether it was filled; not if the other side has closed."""
    left = memoryview(buffer)
    while left:
        count = wire.recv_into(left)
        if not count:
            return False
        left = left[count:]
    return True
