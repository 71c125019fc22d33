"""The worker's side over TCP: one connection, made again when it is lost.

An exchange that was cut off is sent again under the same number; the server merges it once.
A second connection tells the server that the worker lives (``heart``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType

import numpy as np
import numpy.typing as npt

from distkeras import errors
from distkeras.conversation import Answer, Failure, Update, Welcome
from distkeras.errors import ExchangeTimeout, ProtocolError
from distkeras.logs import logger
from distkeras.messages import MAX_TEXT, Header, Kind
from distkeras.transport.frames import Deadline, Wire
from distkeras.transport.handshake import connect
from distkeras.transport.heart import Heart
from distkeras.transport.tls import Trust
from distkeras.vectors import Vector

__all__ = ["TcpChannel"]

log = logger(__name__)

#: Seconds between two tries to connect.
PAUSE = 0.2
#: Seconds between two signs of life, at most; they come at least six times in a timeout.
HEARTBEAT = 5.0


class TcpChannel:
    """A worker's channel to a ``TcpServer``; a context manager.

    Args:
        address: (host, port) of the server.
        token: the run's secret.
        size: P, elements of the vectors that are answered.
        timeout: seconds that one call may take, new connections included; after such a silence
            another attempt may take over the worker's partition.
        trust: the certificate that the server must have; None does without TLS.

    Every verb raises ``ExchangeTimeout`` when the deadline passes, ``AuthenticationError`` when
    the two sides do not share the token, and what the server refused with.
    """

    def __init__(
        self,
        address: tuple[str, int],
        token: bytes,
        size: int,
        timeout: float = 60.0,
        trust: Trust | None = None,
    ) -> None:
        self._dial = partial(connect, address, token, trust)
        self._size = size
        self._timeout = timeout
        self._wire: Wire | None = None
        self._heart: Heart | None = None
        self._aborted = threading.Event()
        self.peer = f"the parameter server at {address[0]}:{address[1]}"

    def __enter__(self) -> TcpChannel:
        """The channel; it connects at the first call."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the connections."""
        if self._heart is not None:
            self._heart.stop()
        self._drop()

    def join(self, partition: int, attempt: int, rows: int) -> Welcome:
        """See ``ParameterServer.join``."""
        header, payload = self._call(
            Kind.WELCOME, Header(Kind.JOIN, partition=partition, attempt=attempt, rows=rows)
        )
        welcome = Welcome(header.sequence, self._vector(payload), header.rows, header.stop)
        if self._heart is None:
            sign = Header(Kind.ALIVE, partition=partition, attempt=attempt)
            every = min(HEARTBEAT, self._timeout / 6)
            self._heart = Heart(self._dial, sign, every, self._timeout)
        return welcome

    def exchange(self, update: Update) -> Answer:
        """See ``ParameterServer.exchange``."""
        request = Header(
            Kind.UPDATE,
            partition=update.partition,
            attempt=update.attempt,
            epoch=update.epoch,
            sequence=update.sequence,
            rows=update.rows,
            wait=update.wait,
        )
        header, payload = self._call(Kind.ANSWER, request, update.metrics, update.vector)
        return Answer(self._vector(payload), header.staleness, header.rows, header.stop)

    def leave(self, partition: int, attempt: int, wait: float) -> None:
        """See ``ParameterServer.leave``."""
        self._call(Kind.DONE, Header(Kind.LEAVE, partition=partition, attempt=attempt, wait=wait))

    def fail(self, failure: Failure) -> None:
        """See ``ParameterServer.fail``."""
        text = "\0".join((failure.error, failure.message, failure.details)).encode(errors="replace")
        self._call(Kind.DONE, Header(Kind.FAIL, partition=failure.partition), text[:MAX_TEXT])

    def abort(self) -> None:
        """See ``Channel``; a connection that is only being made is given up by its deadline."""
        self._aborted.set()
        wire = self._wire
        if wire is not None:
            wire.abort()

    def _call(
        self, expected: Kind, request: Header, *parts: bytes | Vector
    ) -> tuple[Header, npt.NDArray[np.uint8]]:
        def attempt(wire: Wire) -> tuple[Header, npt.NDArray[np.uint8]]:
            wire.send(request, *parts)
            while True:
                header, payload = wire.expect(expected, Kind.REFUSED, Kind.PATIENCE)
                if header.kind is not Kind.PATIENCE:
                    return header, payload
                if wire.deadline is not None:
                    wire.deadline.renew()

        header, payload = self._until_deadline(attempt)
        if header.kind is Kind.REFUSED:
            raise _refusal(bytes(payload).decode(errors="replace"))
        return header, payload

    def _until_deadline(
        self, attempt: Callable[[Wire], tuple[Header, npt.NDArray[np.uint8]]]
    ) -> tuple[Header, npt.NDArray[np.uint8]]:
        deadline, lost = Deadline(self._timeout), False
        while True:
            try:
                return attempt(self._connected(deadline))
            except OSError as problem:
                # Lost or not yet there: the server may be back before the deadline.
                self._drop()
                if self._aborted.is_set():
                    raise
                if deadline.within(PAUSE):
                    raise ExchangeTimeout(
                        f"this worker could not reach {self.peer} within {self._timeout:g} s: "
                        f"{problem.strerror or problem}"
                    ) from None
                if not lost:  # Once, however often it is tried.
                    lost = True
                    log.info("lost %s: %s; trying again", self.peer, problem)
                self._aborted.wait(PAUSE)
            except BaseException:
                # Nobody may speak again on a connection that is half-way through a frame, or
                # whose other end has not proved itself.
                self._drop()
                raise

    def _connected(self, deadline: Deadline) -> Wire:
        if self._wire is None:
            self._wire = self._dial(deadline)
            self._wire.trust(4 * self._size)
        if self._aborted.is_set():
            raise ConnectionAbortedError(f"the call to {self.peer} was given up")
        self._wire.deadline = deadline
        return self._wire

    def _vector(self, payload: npt.NDArray[np.uint8]) -> Vector:
        if payload.nbytes != 4 * self._size:
            raise ProtocolError(
                f"{self.peer} answered {payload.nbytes} bytes, not {4 * self._size}: "
                "its model is not this worker's"
            )
        return payload.view(np.float32)

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None


def _refusal(text: str) -> errors.DistkerasError:
    """The exception that the server refused with, by its name in ``distkeras.errors``."""
    name, _, message = text.partition(": ")
    kind = getattr(errors, name, None) if name in errors.__all__ else None
    return kind(message) if kind is not None else ProtocolError(text)
