"""Fixtures that more than one room of the tests needs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from distkeras.errors import EnvironmentProblem
from scripts.clusters import Hdfs, Yarn, classpath

#: The rooms whose tests wait for other processes, the longest waits first.
WAITING = ("clusters", "notebook", "tasks", "engines", "storage", "punchcard", "doctor")

# In the background of a shell Ctrl-C is ignored, and would be by every process started from here.
signal.signal(signal.SIGINT, signal.default_int_handler)
# JVMs that live for a minute compile too much: a run of the small pipeline takes 35 s of processor
# time with these options, and 68 s without.
JAVA_OPTIONS = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
# And they load the same classes again and again. Java is to be silent where it cannot use these.
if (ARCHIVE := Path(sys.prefix, "spark.jsa")).exists():
    JAVA_OPTIONS += f" -XX:SharedArchiveFile={ARCHIVE} -Xlog:disable -Xlog:all=error:stderr"
os.environ.setdefault("SPARK_SUBMIT_OPTS", JAVA_OPTIONS)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts long files first: of several test processes, none is left with one at the end."""
    items.sort(key=lambda item: room_number(item.path))


def room_number(path: Path) -> int:
    """Where the tests of a room, and of those within it, stand in the order."""
    room = path.relative_to(Path(__file__).parent).parts[0]
    return WAITING.index(room) if room in WAITING else len(WAITING)


@pytest.fixture(scope="session")
def spark() -> Iterator[object]:
    """One real Spark for the whole run: two task slots in this process's JVM."""
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .appName("distkeras-tests")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "1g")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.log.level", "ERROR")
        # Else each of the many Python workers imports Keras for itself: 5 s of processor time.
        .config("spark.python.daemon.module", "tests.engines.warm_daemon")
        .getOrCreate()
    )
    yield session
    session.stop()


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
