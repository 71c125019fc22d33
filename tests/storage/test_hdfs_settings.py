"""Settings of HDFS: what may be said, and what wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from distkeras.errors import ConfigError, StorageError
from distkeras.storage.hdfs_addresses import endpoint_of
from distkeras.storage.hdfs_settings import HdfsSettings, hdfs_settings, use_hdfs_settings
from tests.storage.test_hadoop_conf import HA, write


def bases(url: str, **settings: object) -> tuple[str, ...]:
    return endpoint_of(url, HdfsSettings(**settings)).bases  # type: ignore[arg-type]


@pytest.fixture
def conf_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path, "core-site.xml", {"fs.defaultFS": "hdfs://mine"})
    write(tmp_path, "hdfs-site.xml", HA)
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    return tmp_path


def test_what_is_in_force() -> None:
    assert hdfs_settings() == HdfsSettings()
    use_hdfs_settings(HdfsSettings(port=1))
    assert hdfs_settings().port == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scheme": "ftp"}, "scheme is 'ftp', but must be one of http, https"),
        ({"client_type": "x"}, "client_type is 'x', but must be one of insecure, token, kerberos"),
        ({"client_type": "token"}, "token_file names no file"),
        ({"port": 0}, "port is 0, but must be from 1 to 65535"),
        ({"namenode_port": 70000}, "namenode_port is 70000"),
        ({"timeout": 0.0}, "timeout is 0.0"),
        ({"timeout": float("nan")}, "timeout is nan"),
        ({"timeout": float("inf")}, "timeout is inf"),
    ],
)
def test_values_that_cannot_be(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        HdfsSettings(**settings)  # type: ignore[arg-type]
    assert message in str(raised.value)


def test_with_nothing_said_it_is_the_usual_port() -> None:
    assert bases("hdfs://h:8020/x") == ("http://h:9870",)
    assert bases("hdfs://h/x", scheme="https") == ("https://h:9871",)
    assert "HADOOP_CONF_DIR" in endpoint_of("hdfs://h/x", HdfsSettings()).hint


def test_hadoops_files_come_before_that(conf_dir: Path) -> None:
    assert bases("hdfs:///x") == bases("hdfs://mine/x") == ("http://a:9870", "http://b:9870")
    assert bases("hdfs://c:9000/x") == ("http://c:50070",)
    assert bases("hdfs://elsewhere/x") == ("http://elsewhere:9870",)
    assert endpoint_of("hdfs:///x", HdfsSettings()).hint == ""


def test_the_program_comes_before_hadoops_files(conf_dir: Path) -> None:
    assert bases("hdfs://c:9000/x", port=7) == ("http://c:7",)
    assert bases("hdfs://mine/x", namenodes=("p", "q:8"), port=7) == ("http://p:7", "http://q:8")
    here = {"namenode_host": "h", "namenode_port": 9000, "port": 7}
    assert bases("hdfs:///x", **here) == bases("hdfs://h:9000/x", **here) == ("http://h:7",)
    # It is told of one host: others are as the files say.
    assert bases("hdfs://c:9000/x", **here) == ("http://c:50070",)


def test_who_asks(conf_dir: Path) -> None:
    def client_type(**settings: str) -> str:
        return endpoint_of("hdfs:///x", HdfsSettings(**settings)).client_type  # type: ignore[arg-type]

    assert client_type() == "insecure"
    assert client_type(token_file="t") == "token"
    write(conf_dir, "core-site.xml", {"hadoop.security.authentication": "kerberos"})
    secure = HdfsSettings()
    assert endpoint_of("hdfs://h/x", secure).client_type == "kerberos"
    insecure = HdfsSettings(client_type="insecure")
    assert endpoint_of("hdfs://h/x", insecure).client_type == "insecure"


@pytest.mark.parametrize("url", ["hdfs:///x", "hdfs://h:x/y"])
def test_urls_that_lead_nowhere(url: str) -> None:
    with pytest.raises(StorageError) as raised:
        bases(url)
    assert str(raised.value).startswith(f"{url}: ")
