"""One real HDFS and one real YARN for all tests of this folder that ask for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from distkeras.errors import EnvironmentProblem
from scripts.clusters import Hdfs, Yarn, classpath


@pytest.fixture(scope="session")
def hadoop() -> str:
    """Hadoop's class path; a skip with a reason where it cannot be had."""
    try:
        return classpath()
    except EnvironmentProblem as missing:
        pytest.skip(f"no Hadoop: {missing}")


@pytest.fixture(scope="session")
def shared_hdfs(hadoop: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hdfs]:
    """A NameNode and two DataNodes, started once for the whole run."""
    with Hdfs(tmp_path_factory.mktemp("hdfs")) as running:
        yield running


@pytest.fixture
def hdfs(shared_hdfs: Hdfs) -> Hdfs:
    """The shared HDFS, whole again whatever the test before did to it."""
    shared_hdfs.start()
    return shared_hdfs


@pytest.fixture(scope="session")
def shared_yarn(shared_hdfs: Hdfs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yarn]:
    """A ResourceManager and a NodeManager over that HDFS, started once for the whole run."""
    with Yarn(tmp_path_factory.mktemp("yarn"), shared_hdfs) as running:
        yield running


@pytest.fixture
def yarn(hdfs: Hdfs, shared_yarn: Yarn) -> Yarn:
    """The shared YARN, whole again whatever the test before did to it."""
    shared_yarn.start()
    return shared_yarn
