"""Frames over a socket: whole frames in, whole frames out, every wait bounded."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from distkeras.codecs import Buffer
from distkeras.errors import ExchangeTimeout, ProtocolError
from distkeras.memory import Memory
from distkeras.messages import HEADER, MAX_TEXT, NONCE, Header, Kind
from distkeras.vectors import Vector

__all__ = ["Deadline", "Wire"]

#: What one frame may carry beside a vector: a traceback, or metrics.
_SLACK = MAX_TEXT
#: The longest payload of the handshake: a challenge and a proof.
_HANDSHAKE = NONCE + 32


class Deadline:
    """The moment by which something must be done.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then, more than 0.

        Raises:
            TimeoutError: if there are none.
        """
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("timed out")
        return seconds

    def renew(self) -> None:
        """Has the seconds count from now: the other side has shown that it lives."""
        self._end = time.monotonic() + self.seconds

    def within(self, seconds: float) -> bool:
        """Whether it passes in less than so many seconds."""
        return self._end - time.monotonic() < seconds


class Wire:
    """A connected socket that speaks frames.

    Args:
        connection: connected.
        peer: who is at the other end, for messages.
        deadline: by when everything is to be sent and received; None for no end. It bounds the
            whole, so that a peer who sends a byte now and then gains nothing.
        memory: for what is received; None for some of its own.
    """

    def __init__(
        self,
        connection: socket.socket,
        peer: str,
        deadline: Deadline | None,
        memory: Memory | None = None,
    ) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        self._header = bytearray(HEADER.size)
        self._bound = _HANDSHAKE
        self.peer = peer
        self.deadline = deadline
        self._memory = memory or Memory()

    def trust(self, size: int) -> None:
        """Believes lengths up to that of a vector of ``size`` bytes; before, of a handshake."""
        self._bound = size + _SLACK

    def secure(self, context: ssl.SSLContext) -> None:
        """Begins TLS, as the server.

        Raises:
            ExchangeTimeout: if the other side does not do its part in time.
            OSError: if it does not speak TLS.
        """
        wrapped = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        self._socket = wrapped
        wrapped.settimeout(self._left())
        try:
            wrapped.do_handshake()
        except TimeoutError:
            raise ExchangeTimeout(self._late("begin TLS")) from None

    def send(self, header: Header, *parts: bytes | Vector | Buffer) -> None:
        """Sends a frame; its length is that of the parts, which are not copied.

        Raises:
            ExchangeTimeout: if the other side does not take it in time.
            OSError: if the connection is lost.
        """
        views = [_bytes_of(part) for part in parts if len(part)]
        length = sum(len(view) for view in views)
        pending = [memoryview(header._replace(length=length).pack()), *views]
        try:
            self._send_all(pending)
        except TimeoutError:
            raise ExchangeTimeout(self._late(f"take a frame of {length} bytes")) from None

    def receive(self) -> tuple[Header, npt.NDArray[np.uint8]]:
        """Waits for a frame; the payload, shape (length,), is the caller's.

        Raises:
            ExchangeTimeout: if it does not come in time.
            ProtocolError: if it is no frame, or longer than the bound.
            ConnectionError: if the other side has closed.
        """
        try:
            self._fill(memoryview(self._header))
            header = Header.unpack(self._header)
            if header.length > self._bound:
                raise ProtocolError(
                    f"{self.peer} announced {header.length} bytes; {self._bound} is the bound"
                )
            payload = self._memory.take(header.length)
            self._fill(payload.data)
        except TimeoutError:
            raise ExchangeTimeout(self._late("answer")) from None
        return header, payload

    def expect(self, *kinds: Kind) -> tuple[Header, npt.NDArray[np.uint8]]:
        """Waits for a frame of one of these kinds.

        Raises:
            ProtocolError: if another kind comes.
        """
        header, payload = self.receive()
        if header.kind not in kinds:
            wanted = " or ".join(kind.name for kind in kinds)
            raise ProtocolError(f"{self.peer} sent {header.kind.name}, not {wanted}")
        return header, payload

    def abort(self) -> None:
        """Ends the connection; a thread that waits in it wakes up, and is the one to close it."""
        with suppress(OSError):  # The other side may have been first.
            # Not TLS' own, which takes the ground from under a thread that reads.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends the connection and gives the socket back."""
        self.abort()
        self._socket.close()

    def _send_all(self, pending: Sequence[memoryview]) -> None:
        # sendmsg hands header and payload to the kernel at once, without joining them first.
        queue = list(pending)
        while queue:
            self._socket.settimeout(self._left())
            sent = _send_some(self._socket, queue)
            while queue and sent >= len(queue[0]):
                sent -= len(queue.pop(0))
            if queue:
                queue[0] = queue[0][sent:]

    def _fill(self, view: memoryview) -> None:
        filled = 0
        while filled < len(view):
            self._socket.settimeout(self._left())
            count = self._socket.recv_into(view[filled:])
            if count == 0:
                raise ConnectionResetError(f"{self.peer} closed the connection")
            filled += count

    def _left(self) -> float | None:
        return None if self.deadline is None else self.deadline.left()

    def _late(self, what: str) -> str:
        seconds = 0.0 if self.deadline is None else self.deadline.seconds
        return f"{self.peer} did not {what} within {seconds:g} s"


def _send_some(connection: socket.socket, queue: list[memoryview]) -> int:
    # TLS knows no sendmsg.
    if isinstance(connection, ssl.SSLSocket):
        return connection.send(queue[0])
    return connection.sendmsg(queue)


def _bytes_of(part: bytes | Vector | Buffer) -> memoryview:
    return memoryview(part if isinstance(part, bytes) else part.data).cast("B")
