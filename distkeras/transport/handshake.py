"""How both sides of a connection learn that the other one knows the run's token."""

from __future__ import annotations

import hmac
import secrets
import socket

from distkeras.errors import AuthenticationError
from distkeras.messages import NONCE, Header, Kind, proof
from distkeras.transport.frames import Deadline, Wire
from distkeras.transport.tls import Trust, secured

__all__ = ["authenticate_client", "authenticate_server", "connect"]


def connect(
    address: tuple[str, int], token: bytes, trust: Trust | None, deadline: Deadline
) -> Wire:
    """A connection to the server, on which both sides have proved themselves.

    Args:
        address: (host, port) of the server.
        token: the run's secret.
        trust: the certificate that the server must have; None does without TLS.
        deadline: of this and, until it is given another, of what the wire does next.

    Raises:
        AuthenticationError: if the server has another certificate, or the two sides do not share
            the token.
        ExchangeTimeout: if the server does not answer in time.
        OSError: if it cannot be reached.
    """
    connection = _connected(address, deadline)
    try:
        if trust is not None:
            connection = secured(connection, trust, address, deadline.left())
        wire = Wire(connection, f"the parameter server at {address[0]}:{address[1]}", deadline)
        authenticate_server(wire, token)
    except BaseException:
        connection.close()
        raise
    return wire


def _connected(address: tuple[str, int], deadline: Deadline) -> socket.socket:
    """A connection to one of the host's addresses.

    A name may have several, of which some lead nowhere, as IPv6 may: each has its part of the time
    that is left, so that all together keep the deadline, and none uses it up for the others.
    """
    found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    for untried, (family, kind, protocol, _, place) in zip(
        range(len(found), 0, -1), found, strict=True
    ):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(deadline.left() / untried)
            connection.connect(place)
        except OSError as problem:
            connection.close()
            last = problem
        else:
            return connection
    raise last


def authenticate_server(wire: Wire, token: bytes) -> None:
    """Proves to the server that this side knows the token, and has it prove the same.

    Raises:
        AuthenticationError: if it does not know the token, or says that we do not.
    """
    _, challenge = wire.expect(Kind.CHALLENGE)
    nonce = secrets.token_bytes(NONCE)
    wire.send(Header(Kind.HELLO), nonce + proof(token, b"worker", bytes(challenge), nonce))
    header, proven = wire.expect(Kind.PROVEN, Kind.REFUSED)
    if header.kind is Kind.REFUSED:
        raise AuthenticationError(f"{wire.peer} refused this run's token")
    if not hmac.compare_digest(bytes(proven), proof(token, b"server", bytes(challenge), nonce)):
        raise AuthenticationError(f"{wire.peer} does not know this run's token")


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
        wire.send(Header(Kind.REFUSED))
        raise AuthenticationError(f"{wire.peer} does not know this run's token")
    wire.send(Header(Kind.PROVEN), proof(token, b"server", challenge, nonce))
