"""The server's side over TCP: a listening socket and a thread for each connection.

Before anything else each side proves that it knows the run's token, by HMAC over both sides'
challenges (``messages.proof``). A connection that breaks the protocol is closed and logged;
the others go on.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import socket
import threading
from types import TracebackType

import numpy as np
import numpy.typing as npt

from distkeras.errors import AuthenticationError, DistkerasError, ProtocolError
from distkeras.messages import MAX_TEXT, NONCE, Header, Kind, proof
from distkeras.server import Failure, ParameterServer, Update
from distkeras.transport.frames import Wire

__all__ = ["TcpServer"]

log = logging.getLogger(__name__)

#: Seconds that a newcomer has to prove itself.
HANDSHAKE_TIMEOUT = 10.0


class TcpServer:
    """Serves a parameter server on a port; a context manager.

    Args:
        server: what is served.
        token: the run's secret.
        host: the address to bind, not a wildcard unless the caller wants one.
        port: 0 for any free one.

    Attributes:
        address: (host, port) as bound.
    """

    def __init__(
        self, server: ParameterServer, token: bytes, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._server = server
        self._token = token
        self._bound = server.center.nbytes + 4 * len(server.metrics)
        self._listener = socket.create_server((host, port), backlog=128)
        self._wires: set[Wire] = set()
        self._lock = threading.Lock()
        self._closing = False
        self.address: tuple[str, int] = self._listener.getsockname()[:2]

    def __enter__(self) -> TcpServer:
        """Starts to accept."""
        self._acceptor = threading.Thread(target=self._accept, name="distkeras-accept", daemon=True)
        self._acceptor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the port and every connection."""
        with self._lock:
            self._closing = True
            wires = list(self._wires)
        # Closing alone does not wake a thread that waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        for wire in wires:
            wire.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, (host, port, *_) = self._listener.accept()
            except OSError:
                return  # The listener was shut down.
            connection.settimeout(HANDSHAKE_TIMEOUT)
            wire = Wire(connection, self._bound, f"{host}:{port}")
            with self._lock:
                if self._closing:
                    wire.close()
                    return
                self._wires.add(wire)
            name = f"distkeras-worker-{host}:{port}"
            threading.Thread(
                target=self._serve, args=(wire, connection), name=name, daemon=True
            ).start()

    def _serve(self, wire: Wire, connection: socket.socket) -> None:
        try:
            authenticate_client(wire, self._token)
            # A worker may compute for as long as it likes; a dead one closes its connection.
            connection.settimeout(None)
            _keep_alive(connection)
            while True:
                self._answer(wire, *wire.receive())
        except ConnectionError:
            pass  # The worker is gone; Spark and the schedule know whether it should be.
        except (DistkerasError, OSError) as problem:
            if not self._closing:
                log.warning("closed the connection from %s: %s", wire.peer, problem)
        finally:
            with self._lock:
                self._wires.discard(wire)
            wire.close()

    def _answer(self, wire: Wire, header: Header, payload: npt.NDArray[np.uint8]) -> None:
        try:
            self._handle(wire, header, payload)
        except DistkerasError as refusal:
            text = f"{type(refusal).__name__}: {refusal}".encode()[:MAX_TEXT]
            wire.send(Header(Kind.REFUSED), text)
            if isinstance(refusal, ProtocolError):
                raise

    def _handle(self, wire: Wire, header: Header, payload: npt.NDArray[np.uint8]) -> None:
        who = header.partition, header.attempt
        if header.kind is Kind.UPDATE:
            answer = self._server.exchange(self._update(header, payload))
            wire.send(Header(Kind.ANSWER, staleness=answer.staleness), answer.vector)
        elif header.kind is Kind.JOIN:
            welcome = self._server.join(*who, header.rows)
            wire.send(Header(Kind.WELCOME, sequence=welcome.sequence), welcome.weights)
        elif header.kind is Kind.LEAVE:
            self._server.leave(*who, header.wait)
            wire.send(Header(Kind.DONE))
        elif header.kind is Kind.FAIL:
            self._server.fail(_failure(header, payload))
            wire.send(Header(Kind.DONE))
        else:
            raise ProtocolError(f"{wire.peer} sent {header.kind.name}, which a worker does not")

    def _update(self, header: Header, payload: npt.NDArray[np.uint8]) -> Update:
        if payload.nbytes != self._bound:
            raise ProtocolError(
                f"worker {header.partition} sent {payload.nbytes} bytes, not {self._bound}: "
                "its model is not the server's"
            )
        values = payload.view(np.float32)
        metrics = len(self._server.metrics)
        return Update(
            partition=header.partition,
            attempt=header.attempt,
            epoch=header.epoch,
            sequence=header.sequence,
            rows=header.rows,
            metrics=values[:metrics],
            vector=values[metrics:],
            wait=header.wait,
        )


def authenticate_client(wire: Wire, token: bytes) -> None:
    """Has a newcomer prove that it knows the token, and proves the same to it.

    Raises:
        AuthenticationError: if it does not know the token.
    """
    challenge = secrets.token_bytes(NONCE)
    wire.send(Header(Kind.CHALLENGE), challenge)
    _, payload = wire.expect(Kind.HELLO)
    nonce, proven = bytes(payload[:NONCE]), bytes(payload[NONCE:])
    if not hmac.compare_digest(proven, proof(token, b"worker", challenge, nonce)):
        raise AuthenticationError(f"{wire.peer} does not know this run's token")
    wire.send(Header(Kind.PROVEN), proof(token, b"server", challenge, nonce))


def _failure(header: Header, payload: npt.NDArray[np.uint8]) -> Failure:
    error, message, details = [*bytes(payload).decode(errors="replace").split("\0"), "", ""][:3]
    return Failure(header.partition, error, message, details)


def _keep_alive(connection: socket.socket) -> None:
    """Has the kernel notice within about a minute that the worker's host is gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
