"""An HDFS that speaks https, NameNode and DataNode, with a certificate that nobody else trusts."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    pkcs12,
)

from distkeras import storage
from distkeras.errors import StorageError
from distkeras.storage.hdfs_settings import HdfsSettings, use_hdfs_settings
from scripts.clusters import Hdfs
from scripts.clusters.hadoop import write_settings
from scripts.clusters.ports import free_ports

PASSWORD = "of the keystore"
CONTENT = bytes(range(256)) * 12_000


def keystore(folder: Path) -> tuple[Path, Path]:
    """A key with its certificate for 127.0.0.1, as Java wants it; and the certificate, PEM."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name.from_rfc4514_string("CN=127.0.0.1")
    now = datetime.datetime.now(datetime.timezone.utc)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = BestAvailableEncryption(PASSWORD.encode())
    store, pem = folder / "keystore.p12", folder / "certificate.pem"
    store.write_bytes(pkcs12.serialize_key_and_certificates(b"s", key, certificate, None, secret))
    pem.write_bytes(certificate.public_bytes(Encoding.PEM))
    return store, pem


@pytest.fixture(scope="module")
def https(hadoop: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int, Path]]:
    """The URL of an HDFS, its https port and its certificate."""
    folder = tmp_path_factory.mktemp("https")
    store, certificate = keystore(folder)
    ports = free_ports(2)
    secure = {
        "dfs.http.policy": "HTTP_AND_HTTPS",
        "dfs.namenode.https-address": f"127.0.0.1:{ports[0]}",
        "dfs.datanode.https.address": f"127.0.0.1:{ports[1]}",
    }
    own = {
        "ssl.server.keystore.location": store,
        "ssl.server.keystore.type": "PKCS12",
        "ssl.server.keystore.password": PASSWORD,
        "ssl.server.keystore.keypassword": PASSWORD,
    }
    hdfs = Hdfs(folder / "hdfs", datanodes=1, settings=secure)
    for conf in (folder / "hdfs").glob("conf*"):
        write_settings(conf, {"ssl-server": own})
    with hdfs:
        yield hdfs.url, ports[0], certificate


def test_what_is_written_over_https_is_read(https: tuple[str, int, Path]) -> None:
    url, port, certificate = https
    settings = HdfsSettings(port=port, scheme="https", ca_file=str(certificate))
    use_hdfs_settings(settings)
    place = storage.locate(f"{url}/secure/file")
    storage.files_of(place.parent).make_directory(str(place.parent))
    storage.write_bytes(place, CONTENT)
    assert storage.read_bytes(place) == CONTENT


def test_a_certificate_that_is_not_trusted_is_named(https: tuple[str, int, Path]) -> None:
    url, port, _ = https
    use_hdfs_settings(HdfsSettings(port=port, scheme="https"))
    with pytest.raises(
        StorageError, match=r"certificate is not trusted .* set \[webhdfs\] ca_file"
    ):
        storage.read_bytes(storage.locate(f"{url}/secure/file"))


def test_http_at_the_port_of_https_is_told_soon(https: tuple[str, int, Path]) -> None:
    url, port, _ = https
    use_hdfs_settings(HdfsSettings(port=port, timeout=3.0))
    with pytest.raises(StorageError, match=f"http://127.0.0.1:{port}"):
        storage.read_bytes(storage.locate(f"{url}/secure/file"))
