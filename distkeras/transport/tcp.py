"""The server's side over TCP: a listening socket and a thread for each connection.

Before anything else each side proves that it knows the run's token, by HMAC over both sides'
challenges (``messages.proof``). A connection that breaks the protocol is closed and logged;
the others go on.
"""

from __future__ import annotations

import socket
import threading
import time
from contextvars import copy_context
from functools import partial
from types import TracebackType

import numpy as np
import numpy.typing as npt

from distkeras.codecs import NUMBERS, Buffer
from distkeras.conversation import Answer, Failure, Update
from distkeras.errors import DistkerasError, ProtocolError, TrainingError
from distkeras.logs import logger, named, note
from distkeras.messages import MAX_TEXT, Header, Kind
from distkeras.server import ParameterServer
from distkeras.transport.frames import Deadline, Wire
from distkeras.transport.handshake import authenticate_client
from distkeras.transport.leases import Leases
from distkeras.transport.newcomers import Newcomers
from distkeras.transport.place import LOOPBACK, Place, listen
from distkeras.vectors import Vector

__all__ = ["TcpServer"]

log = logger(__name__)

#: Seconds that a newcomer has to prove itself.
HANDSHAKE_TIMEOUT = 10.0
#: Seconds to wait when no connection can be accepted, as when no file descriptor is left.
PAUSE = 0.2


class TcpServer:
    """Serves a parameter server on a port; a context manager.

    Args:
        server: what is served.
        token: the run's secret.
        place: where.
        lease: seconds of silence after which a worker's next attempt may take over.

    Attributes:
        address: (host, port) as bound.
        leases: who works now.

    Raises:
        EnvironmentProblem: if this machine cannot listen there.
    """

    def __init__(
        self,
        server: ParameterServer,
        token: bytes,
        place: Place = LOOPBACK,
        lease: float = 60.0,
    ) -> None:
        self._server = server
        self._token = token
        self._metrics = 4 * len(server.metrics)
        self._bound = self._metrics + server.codec.length(len(server.center))
        self._newcomers = Newcomers(server.workers)
        self._tls = place.tls
        self._listener = listen(place)
        self.leases = Leases(lease, server.patience)
        #: Of the accepting thread alone while it runs.
        self._serving: dict[threading.Thread, Wire] = {}
        self._closing = threading.Event()
        self.address: tuple[str, int] = self._listener.getsockname()[:2]

    def __enter__(self) -> TcpServer:
        """Starts to accept."""
        accept = partial(copy_context().run, self._accept)
        self._acceptor = threading.Thread(target=accept, name="distkeras-accept", daemon=True)
        self._acceptor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the port and every connection, and waits for their threads."""
        self._closing.set()
        # Closing alone does not wake a thread that waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        self._server.close()
        self.leases.close()
        for wire in self._serving.values():
            wire.abort()
        for thread in self._serving:
            thread.join()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, (host, port, *_) = self._listener.accept()
            except OSError as problem:
                self._pause(problem)  # Or the listener was shut down.
                continue
            try:
                self._admit(connection, f"{host}:{port}")
            except (OSError, RuntimeError) as problem:
                connection.close()
                self._pause(problem)

    def _admit(self, connection: socket.socket, peer: str) -> None:
        _keep_alive(connection)
        wire = Wire(connection, peer, Deadline(HANDSHAKE_TIMEOUT), self._server.memory)
        self._newcomers.add(wire)
        name = f"distkeras-worker-{peer}"
        serve = partial(copy_context().run, self._serve, wire)
        thread = threading.Thread(target=serve, name=name, daemon=True)
        thread.start()
        # A thread cannot strike itself off: it would still run, and nobody would wait for it.
        self._serving = {one: its for one, its in self._serving.items() if one.is_alive()}
        self._serving[thread] = wire

    def _pause(self, problem: Exception) -> None:
        """Neither a lack of file descriptors nor one of threads lasts for ever."""
        if not self._closing.wait(PAUSE):
            log.warning("could not accept a worker: %s", problem)

    def _serve(self, wire: Wire) -> None:
        try:
            if self._proves(wire):
                self._converse(wire)
        finally:
            self.leases.lost(wire)
            wire.close()

    def _proves(self, wire: Wire) -> bool:
        try:
            if self._tls is not None:
                wire.secure(self._tls)
            authenticate_client(wire, self._token)
        except (DistkerasError, OSError) as problem:
            self._newcomers.turned_away(wire, problem)
            return False
        finally:
            self._newcomers.remove(wire)
        return True

    def _converse(self, wire: Wire) -> None:
        said = Kind.HELLO
        wire.trust(self._bound)
        # A worker may compute for as long as it likes; a dead one closes its connection.
        wire.deadline = None
        try:
            while True:
                began = time.thread_time()
                header, payload = wire.receive()
                self._answer(wire, header, payload)
                said = header.kind
                if said is Kind.UPDATE:
                    self._server.spent(time.thread_time() - began)
        except ConnectionError as loss:
            # The worker is gone; Spark and the schedule know whether it should be.
            if said not in (Kind.LEAVE, Kind.FAIL, Kind.ALIVE):
                log.info("lost the connection from %s: %s", wire.peer, loss)
        except (DistkerasError, OSError) as problem:
            log.warning("closed the connection from %s: %s", wire.peer, problem)

    def _answer(self, wire: Wire, header: Header, payload: npt.NDArray[np.uint8]) -> None:
        try:
            reply, *vector = self._reply(wire, header, payload)
        except ProtocolError as refusal:
            _refuse(wire, refusal)
            raise
        except DistkerasError as refusal:
            log.info("refused: %s", refusal)
            _refuse(wire, refusal)
        except OSError:
            raise  # The worker was lost while it waited for others.
        except Exception as bug:
            # A rule may be anybody's code; without a word the worker would only try again.
            log.exception("could not answer %s", wire.peer)
            _refuse(wire, TrainingError(f"the server raised {named(bug)}"))
        else:
            wire.send(reply, *vector)

    def _reply(
        self, wire: Wire, header: Header, payload: npt.NDArray[np.uint8]
    ) -> tuple[Header] | tuple[Header, Vector | Buffer]:
        self._check(header)
        who = header.partition, header.attempt
        self.leases.heard(*who, wire)
        if header.kind is not Kind.FAIL:  # Which does not say which attempt it is.
            note(worker=header.partition, attempt=header.attempt)
        if header.kind is Kind.UPDATE:
            update = self._update(header, payload)
            answer = self._server.exchange(update, lambda: wire.send(Header(Kind.PATIENCE)))
            return self._header_of(answer), answer.payload
        if header.kind is Kind.JOIN:
            return self._welcome(wire, header)
        if header.kind is Kind.LEAVE:
            self._server.leave(*who, header.wait)
            self.leases.give_back(*who)
        elif header.kind is Kind.FAIL:
            self._server.fail(_failure(header, payload))
        elif header.kind is Kind.ALIVE:
            if header.partition < self._server.workers:
                self.leases.announce(*who, wire.peer, wire)
        else:
            raise ProtocolError(f"{header.kind.name} came, which a worker does not send")
        return (Header(Kind.DONE),)

    def _welcome(self, wire: Wire, header: Header) -> tuple[Header, Vector]:
        who = header.partition, header.attempt
        self.leases.take(*who, wire.peer, wire, lambda: wire.send(Header(Kind.PATIENCE)))
        try:
            sequence, weights, rows, stop, _ = self._server.join(*who, header.rows)
        except DistkerasError:
            self.leases.give_back(*who)
            raise
        return Header(Kind.WELCOME, sequence=sequence, rows=rows, stop=stop), weights

    def _header_of(self, answer: Answer) -> Header:
        _, staleness, rows, stop, _ = answer
        codec = self._server.codec.answers.number
        return Header(Kind.ANSWER, staleness=staleness, rows=rows, stop=stop, codec=codec)

    def _check(self, header: Header) -> None:
        """Only a window has a vector, whose length is checked where it is known, and a codec."""
        window = header.kind is Kind.UPDATE
        most = MAX_TEXT if header.kind is Kind.FAIL else 0
        if not window and header.length > most:
            raise ProtocolError(f"{header.kind.name} came with {header.length} bytes, not {most}")
        codec = self._server.codec.number if window else 0
        if header.codec != codec:
            raise ProtocolError(
                f"worker {header.partition} sent {header.kind.name} with the codec "
                f"{NUMBERS[header.codec]}, not {NUMBERS[codec]}"
            )

    def _update(self, header: Header, payload: npt.NDArray[np.uint8]) -> Update:
        if payload.nbytes != self._bound:
            raise ProtocolError(
                f"worker {header.partition} sent {payload.nbytes} bytes, not {self._bound}: "
                "its model is not the server's"
            )
        try:
            size = len(self._server.center)
            vector = self._server.codec.unpack(payload[self._metrics :], size)
        except ProtocolError as problem:
            raise ProtocolError(f"worker {header.partition} sent no window: {problem}") from None
        return Update(
            partition=header.partition,
            attempt=header.attempt,
            epoch=header.epoch,
            sequence=header.sequence,
            rows=header.rows,
            metrics=payload[: self._metrics].view(np.float32),
            vector=vector,
            wait=header.wait,
            cpu=header.cpu,
        )


def _refuse(wire: Wire, error: DistkerasError) -> None:
    text = f"{type(error).__name__}: {error}".encode(errors="replace")
    wire.send(Header(Kind.REFUSED), text[:MAX_TEXT])


def _failure(header: Header, payload: npt.NDArray[np.uint8]) -> Failure:
    error, message, details = [*bytes(payload).decode(errors="replace").split("\0"), "", ""][:3]
    return Failure(header.partition, error, message, details)


def _keep_alive(connection: socket.socket) -> None:
    """Has the kernel notice within about a minute that the worker's host is gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
