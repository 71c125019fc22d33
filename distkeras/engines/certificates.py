"""The server's certificate: the user's, or one that is made for the run."""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from distkeras.errors import ConfigError
from distkeras.transport.tls import Trust, context_of, context_with, server_context

__all__ = ["Certificate", "Guard", "guard"]

#: How long a certificate that was made for a run is good; no training takes so long.
VALID = datetime.timedelta(days=366)
#: How far the clocks of two hosts may differ.
SKEW = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate of the user's, in files on the driver.

    Attributes:
        certificate: PEM, with the chain if there is one.
        key: PEM, without a password.
        authority: PEM of who has signed it; None trusts the certificate itself.
    """

    certificate: Path
    key: Path
    authority: Path | None = None


class Guard(NamedTuple):
    """What both sides need.

    Attributes:
        context: of the server.
        trust: for the workers.
        pem: key and certificate, for other processes of this machine that serve as well.
    """

    context: ssl.SSLContext
    trust: Trust
    pem: str


def guard(own: Certificate | None = None) -> Guard:
    """Prepares TLS for one run.

    Args:
        own: the user's certificate; None makes one for this run.

    Raises:
        ConfigError: names the file that cannot be used.
    """
    if own is not None:
        authority = own.certificate if own.authority is None else own.authority
        trust = Trust(_text(authority), own.authority is not None)
        context = _server(own.certificate, own.key)
        pem = "\n".join(path.read_text("ascii") for path in (own.key, own.certificate))
        return Guard(context, trust, pem)
    key, certificate = _made()
    pem = (key + certificate).decode()
    return Guard(context_with(pem), Trust(certificate.decode(), False), pem)


def _server(certificate: Path, key: Path) -> ssl.SSLContext:
    try:
        return server_context(certificate, key)
    except (OSError, ValueError) as problem:
        raise ConfigError(
            f"cannot use the certificate {certificate} with {key}: {problem}"
        ) from None


def _text(path: Path) -> str:
    """The file, if certificates can be read from it."""
    try:
        text = path.read_text("ascii")
        context_of(Trust(text, False))
    except (OSError, ValueError) as problem:
        raise ConfigError(f"cannot use the certificate {path}: {problem}") from None
    return text


def _made() -> tuple[bytes, bytes]:
    """A new key and its certificate, PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "distkeras run")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + VALID)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, certificate.public_bytes(pem)
