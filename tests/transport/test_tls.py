"""TLS between workers and server, with certificates of a run and of the user's own."""

from __future__ import annotations

import datetime
import socket
import ssl
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from distkeras.engines.addresses import endpoint
from distkeras.engines.certificates import Certificate, guard
from distkeras.errors import AuthenticationError, ConfigError, DistkerasError, ExchangeTimeout
from distkeras.rules import downpour
from distkeras.transport.client import TcpChannel
from distkeras.transport.place import Place
from distkeras.transport.tcp import TcpServer
from distkeras.transport.tls import Trust
from tests.linear import WIDTH, server_of, update
from tests.transport import peers
from tests.transport.peers import PATIENCE, TOKEN


class Issuer:
    """Signs certificates; the first is its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, x509.Name.from_rfc4514_string(f"CN={name}")
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._write(f"{name}.pem", self._sign(self._name, self._key, ca=True))

    def issue(self, host: str) -> Certificate:
        """A certificate for a host, in files."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name.from_rfc4514_string(f"CN={host}")
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path = self._write(f"{host}.pem", self._sign(name, key, host))
        return Certificate(path, self._write(f"{host}.key", private), self.certificate)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, host: str = "", ca: bool = False
    ) -> bytes:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder(self._name, subject, key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
        )
        if host:
            names = x509.SubjectAlternativeName([x509.DNSName(host)])
            builder = builder.add_extension(names, critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


def channel(tcp: TcpServer, trust: Trust | None, host: str = "127.0.0.1") -> TcpChannel:
    """A worker's channel."""
    return TcpChannel((host, tcp.address[1]), TOKEN, WIDTH, 5.0, trust)


def listening(context: ssl.SSLContext) -> TcpServer:
    """A server with TLS."""
    return TcpServer(server_of(downpour()), TOKEN, Place(tls=context))


def test_a_run_with_a_certificate_of_its_own() -> None:
    context, trust, _ = guard()
    with listening(context) as tcp, channel(tcp, trust) as worker:
        worker.join(0, 0, 8)
        answer = worker.exchange(update(0, [1, 2, 3]))
        assert answer.vector.tolist() == [1, 2, 3]
        worker.leave(0, 0, 0.0)


def test_a_large_vector_arrives_whole() -> None:
    context, trust, _ = guard()
    server = server_of(downpour())
    server.center = np.zeros(3_000_000, np.float32)
    sent = np.arange(3_000_000, dtype=np.float32)
    with (
        TcpServer(server, TOKEN, Place(tls=context)) as tcp,
        TcpChannel(tcp.address, TOKEN, len(sent), PATIENCE, trust) as worker,
    ):
        worker.join(0, 0, 8)
        np.testing.assert_array_equal(worker.exchange(update(0, sent)).vector, sent)


def test_nothing_readable_crosses_the_wire() -> None:
    context, trust, _ = guard()
    seen: list[bytes] = []
    vector = np.full(WIDTH, 7.25, np.float32)

    def copy(source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65536):
            seen.append(data)
            sink.sendall(data)
        peers.shut(sink)

    def overhear(client: socket.socket) -> None:
        with peers.connected(tcp.address) as server:
            back = threading.Thread(target=copy, args=(server, client))
            back.start()
            copy(client, server)
            back.join()

    with (
        listening(context) as tcp,
        peers.listening(overhear) as address,
        TcpChannel(address, TOKEN, WIDTH, PATIENCE, trust) as worker,
    ):
        worker.join(0, 0, 8)
        worker.exchange(update(0, vector))
    everything = b"".join(seen)
    assert len(everything) > 500
    assert b"DKPS" not in everything
    assert vector.tobytes() not in everything


def test_another_runs_certificate_is_not_accepted() -> None:
    context, *_ = guard()
    _, other, _ = guard()
    with (
        listening(context) as tcp,
        channel(tcp, other) as worker,
        pytest.raises(AuthenticationError, match=r"at 127\.0\.0\.1:\d+ has not the certificate"),
    ):
        worker.join(0, 0, 8)


def test_who_speaks_no_tls_is_told_nothing() -> None:
    context, trust, _ = guard()
    with listening(context) as tcp:
        with peers.connected(tcp.address) as plain:
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = peers.read_all(plain)
            assert b"DKPS" not in answer
            assert len(answer) <= 7  # A TLS alert.
        with channel(tcp, trust) as worker:
            assert worker.join(0, 0, 8).sequence == 0


def test_a_worker_with_tls_is_not_fooled_by_a_server_without() -> None:
    _, trust, _ = guard()
    server = server_of(downpour())
    with (
        TcpServer(server, TOKEN) as tcp,
        TcpChannel(tcp.address, TOKEN, WIDTH, 1.0, trust) as worker,
        pytest.raises(ExchangeTimeout, match="within 1 s"),
    ):
        worker.join(0, 0, 8)


def test_a_certificate_of_an_authority_must_be_for_the_host(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path, "authority")
    context, trust, _ = guard(issuer.issue("localhost"))
    with listening(context) as tcp:
        with channel(tcp, trust, "localhost") as worker:
            assert worker.join(0, 0, 8).sequence == 0
        with (
            channel(tcp, trust, "127.0.0.1") as worker,
            pytest.raises(AuthenticationError, match="IP address mismatch"),
        ):
            worker.join(1, 0, 8)


def test_a_certificate_alone_is_trusted_by_itself(tmp_path: Path) -> None:
    issued = Issuer(tmp_path, "authority").issue("driver.example")
    context, trust, _ = guard(Certificate(issued.certificate, issued.key))
    with listening(context) as tcp, channel(tcp, trust) as worker:
        assert worker.join(0, 0, 8).sequence == 0


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    issued = Issuer(tmp_path, "authority").issue("a")
    other = Issuer(tmp_path, "other").issue("b")
    for certificate, wrong in (
        (Certificate(tmp_path / "none.pem", issued.key), "none.pem"),
        (Certificate(issued.certificate, tmp_path / "none.key"), "none.key"),
        (Certificate(issued.certificate, other.key), "b.key"),
        (Certificate(issued.certificate, issued.key, tmp_path / "none.ca"), "none.ca"),
        (Certificate(issued.key, issued.key), "a.key"),
    ):
        with pytest.raises(ConfigError, match=wrong):
            guard(certificate)


def test_the_key_is_nowhere_to_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    context, trust, _ = guard()
    assert "PRIVATE" not in repr((context, trust))
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_means_tls_where_nothing_else_is_said() -> None:
    own = {"spark.distkeras.tls.certificate": "c", "spark.distkeras.tls.key": "k"}
    assert not endpoint({}.get).tls
    assert endpoint(own.get).tls
    assert endpoint(own.get).certificate == Certificate(Path("c"), Path("k"))
    assert not endpoint((own | {"spark.distkeras.tls": "false"}).get).tls


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"spark.distkeras.tls": "yes"}, "spark.distkeras.tls is 'yes', but must be true or false"),
        ({"spark.distkeras.tls.key": "k"}, "spark.distkeras.tls.key is set, but needs"),
        ({"spark.distkeras.tls.authority": "a"}, "spark.distkeras.tls.authority is set, but"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, str], wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        endpoint(settings.get)


def test_a_worker_without_the_token_gets_no_further_with_tls() -> None:
    context, trust, _ = guard()
    with (
        listening(context) as tcp,
        TcpChannel(tcp.address, b"x" * 32, WIDTH, 5.0, trust) as worker,
        pytest.raises(DistkerasError, match="refused this run's token"),
    ):
        worker.join(0, 0, 8)
