"""The worker's side over TCP: one connection, made again when it is lost.

An exchange that was cut off is sent again under the same number; the server merges it once.
A second connection tells the server that the worker lives (``heart``).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType

import numpy as np
import numpy.typing as npt

from distkeras import errors
from distkeras.codecs import NUMBERS, RAW, Buffer, Codec
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
        codec: of the run, as the server has it.

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
        codec: Codec = RAW,
    ) -> None:
        self._dial = partial(connect, address, token, trust)
        self._size = size
        self._timeout = timeout
        self._codec = codec
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

    def announce(self, partition: int, attempt: int, silence: float = 600.0) -> None:
        """Says that a worker prepares to join; from now on the server hears that it lives.

        Args:
            partition: the worker.
            attempt: its try.
            silence: seconds after which the driver takes a worker that says nothing for stopped.
        """
        sign = Header(Kind.ALIVE, partition=partition, attempt=attempt)
        self._call(Kind.DONE, sign)
        self._live(sign, silence)

    def join(self, partition: int, attempt: int, rows: int) -> Welcome:
        """See ``ParameterServer.join``."""
        header, payload = self._call(
            Kind.WELCOME, Header(Kind.JOIN, partition=partition, attempt=attempt, rows=rows)
        )
        weights = self._vector(header, payload, RAW)
        welcome = Welcome(header.sequence, weights, header.rows, header.stop, self._codec)
        self._live(Header(Kind.ALIVE, partition=partition, attempt=attempt))
        return welcome

    def exchange(self, update: Update) -> Answer:
        """See ``ParameterServer.exchange``."""
        header, payload = self._send(Kind.ANSWER, update)
        vector = self._vector(header, payload, self._codec.answers)
        return Answer(vector, header.staleness, header.rows, header.stop)

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

    def _live(self, sign: Header, silence: float = math.inf) -> None:
        if self._heart is None:
            every = min(HEARTBEAT, self._timeout / 6, silence / 6)
            self._heart = Heart(self._dial, sign, every, self._timeout)

    def _send(self, expected: Kind, update: Update) -> tuple[Header, npt.NDArray[np.uint8]]:
        request = Header(
            Kind.UPDATE,
            partition=update.partition,
            attempt=update.attempt,
            epoch=update.epoch,
            sequence=update.sequence,
            rows=update.rows,
            wait=update.wait,
            cpu=update.cpu,
            codec=self._codec.number,
        )
        return self._call(expected, request, update.metrics, update.payload)

    def _call(
        self, expected: Kind, request: Header, *parts: bytes | Vector | Buffer
    ) -> tuple[Header, npt.NDArray[np.uint8]]:
        def attempt(wire: Wire) -> tuple[Header, npt.NDArray[np.uint8]]:
            wire.send(request, *parts)
            while True:
                header, payload = wire.expect(expected, Kind.REFUSED, Kind.PATIENCE)
                if header.kind is not Kind.PATIENCE:
                    return header, payload
                if wire.deadline is not None:
                    wire.deadline.renew()

        header, payload = self._until_deadline(attempt, f"worker {request.partition}")
        if header.kind is Kind.REFUSED:
            raise _refusal(bytes(payload).decode(errors="replace"))
        return header, payload

    def _until_deadline(
        self, attempt: Callable[[Wire], tuple[Header, npt.NDArray[np.uint8]]], who: str
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
                        f"{who} could not reach {self.peer} within {self._timeout:g} s: "
                        f"{problem.strerror or problem}"
                    ) from None
                if not lost:  # Once, however often it is tried.
                    lost = True
                    log.info("lost %s: %s; trying again", self.peer, problem)
                self._aborted.wait(PAUSE)
            except ExchangeTimeout as late:
                self._drop()
                raise ExchangeTimeout(f"{who} waited in vain: {late}") from None
            except BaseException:
                # Nobody may speak again on a connection that is half-way through a frame, or
                # whose other end has not proved itself.
                self._drop()
                raise

    def _connected(self, deadline: Deadline) -> Wire:
        if self._wire is None:
            self._wire = self._dial(deadline)
            self._wire.trust(max(4 * self._size, self._codec.answers.length(self._size)))
        if self._aborted.is_set():
            raise ConnectionAbortedError(f"the call to {self.peer} was given up")
        self._wire.deadline = deadline
        return self._wire

    def _vector(self, header: Header, payload: Buffer, codec: Codec) -> Vector:
        length = codec.length(self._size)
        if header.codec != codec.number:
            raise ProtocolError(
                f"{self.peer} answered with {NUMBERS[header.codec]}, not {NUMBERS[codec.number]}: "
                "its compression is not this worker's"
            )
        if payload.nbytes != length:
            raise ProtocolError(
                f"{self.peer} answered {payload.nbytes} bytes, not {length}: "
                "its model is not this worker's"
            )
        try:
            return codec.unpack(payload, self._size)
        except ProtocolError as problem:
            raise ProtocolError(f"{self.peer} answered no vector: {problem}") from None

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None


def _refusal(text: str) -> errors.DistkerasError:
    """The exception that the server refused with, by its name in ``distkeras.errors``."""
    name, _, message = text.partition(": ")
    kind = getattr(errors, name, None) if name in errors.__all__ else None
    return kind(message) if kind is not None else ProtocolError(text)
