"""TLS between workers and server: what each of them puts around its sockets.

A certificate that was made for one run, or that names no authority, is trusted by itself: workers
are told it with their task, and accept no other, whatever name the driver has. With an authority,
the certificate must also be for the host that the workers connect to.
"""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from pathlib import Path
from typing import NamedTuple

from distkeras.errors import AuthenticationError, ConfigError

__all__ = ["Trust", "context_of", "context_with", "secured", "server_context"]


class Trust(NamedTuple):
    """What a worker is told.

    Attributes:
        pem: of the certificates that it accepts.
        host: whether the certificate must be for the host that it connects to.
    """

    pem: str
    host: bool


def secured(
    connection: socket.socket, trust: Trust, address: tuple[str, int], seconds: float
) -> ssl.SSLSocket:
    """The worker's side of a TLS connection.

    Args:
        connection: to the server.
        trust: what is accepted.
        address: (host, port) that was connected to.
        seconds: that the handshake may take.

    Raises:
        AuthenticationError: if the server has another certificate.
        OSError: if it does not speak TLS, or not in time.
    """
    connection.settimeout(seconds)
    try:
        return context_of(trust).wrap_socket(connection, server_hostname=address[0])
    except ssl.SSLCertVerificationError as problem:
        raise AuthenticationError(
            f"the parameter server at {address[0]}:{address[1]} has not the certificate that this "
            f"worker was told: {problem.verify_message}"
        ) from None


def context_of(trust: Trust) -> ssl.SSLContext:
    """The worker's part of TLS.

    Raises:
        ConfigError: if the certificate to trust cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = trust.host
    # So that a certificate is trusted that is told by itself, without who has signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=trust.pem)
    except (OSError, ValueError) as problem:
        raise ConfigError(f"the certificate to trust cannot be read: {problem}") from None
    return context


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """The server's part of TLS.

    Args:
        certificate: PEM, with the chain if there is one.
        key: PEM, without a password; may be the same file.

    Raises:
        OSError: if they cannot be read, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A password is asked for nowhere: a key that has one is refused.
    context.load_cert_chain(certificate, key, password=lambda: b"")
    return context


def context_with(pem: str) -> ssl.SSLContext:
    """The server's part of TLS, with a key and its certificate that are in memory."""
    # Python's ssl takes a key from a file only; this one is there for a moment and for its owner.
    with tempfile.TemporaryDirectory(prefix="distkeras-") as folder:
        path = Path(folder, "run.pem")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(pem)
        return server_context(path, path)
