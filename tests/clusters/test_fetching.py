"""Where Hadoop's servers cannot be had, one line says what is missing."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from distkeras.errors import EnvironmentProblem
from scripts.clusters.java import java_home
from scripts.clusters.maven import classpath, hadoop_version, spark_jars

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def nothing_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_no_maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_home()))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match="mvn was not found") as missing:
        classpath()
    assert hadoop_version(spark_jars()) in str(missing.value)


def test_no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(EnvironmentProblem, match="no java on the path"):
        classpath()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match=f"no java in JAVA_HOME, {tmp_path}"):
        classpath()


@pytest.mark.skipif(shutil.which("mvn") is None, reason="mvn was not found")
def test_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        settings = tmp_path / ".m2" / "settings.xml"
        settings.parent.mkdir()
        settings.write_text(
            "<settings><mirrors><mirror><id>unreachable</id><mirrorOf>*</mirrorOf>"
            f"<url>http://127.0.0.1:{port}</url></mirror></mirrors></settings>"
        )
        monkeypatch.setenv("MAVEN_OPTS", f"-Duser.home={tmp_path}")
        with pytest.raises(EnvironmentProblem, match="mvn could not fetch") as missing:
            classpath()
    assert "\n" not in str(missing.value)
    assert not list((tmp_path / "cache" / "distkeras").iterdir())


def test_no_hadoop_client_among_the_jars(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="no hadoop-client-api"):
        hadoop_version(tmp_path)
