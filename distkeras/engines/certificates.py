"""The server's certificate: the user's, or one that is made for the run."""

from __future__ import annotations

import datetime
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from distkeras.errors import ConfigError
from distkeras.transport.tls import Trust, context_of

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
    """

    context: ssl.SSLContext
    trust: Trust


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
        return Guard(_server(own.certificate, own.key), trust)
    key, certificate = _made()
    # Python's ssl takes a key from a file only; this one is there for a moment and for its owner.
    with tempfile.TemporaryDirectory(prefix="distkeras-") as folder:
        path = Path(folder, "run.pem")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
            file.write(key + certificate)
        return Guard(_server(path, path), Trust(certificate.decode(), False))


def _server(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A password is asked for nowhere: a key that has one is refused.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as problem:
        raise ConfigError(
            f"cannot use the certificate {certificate} with {key}: {problem}"
        ) from None
    return context


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
