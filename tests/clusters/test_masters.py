"""The whole pipeline from the luigi command line, under each of Spark's masters."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.clusters.maven import spark_jars
from scripts.clusters.namespaces import Host
from scripts.clusters.standalone import Standalone
from scripts.clusters.yarn import Yarn
from scripts.package import pack_environment
from tests.clusters import standalone_fixture
from tests.clusters.asking import CONF, PATIENCE, REPOSITORY, environment, spark_home

standalone = standalone_fixture.running

#: The fixtures that give a ``Place``.
PLACES = ("local_cluster", "two_hosts", "containers")


@dataclass(frozen=True)
class Place:
    """Where the pipeline runs.

    Attributes:
        master: of Spark.
        conf: further settings of Spark.
        host: where the driver runs; None for this machine.
        section: further lines of luigi's section [spark].
        python: that the executors run.
    """

    master: str
    conf: Mapping[str, str] = field(default_factory=dict)
    host: Host | None = None
    section: str = ""
    python: str = sys.executable

    def accuracy(self, folder: Path) -> float:
        """Runs the pipeline, and reads what it measured on the test split."""
        conf = " | ".join(f"{key}={value}" for key, value in (CONF | self.conf).items())
        (folder / "luigi.cfg").write_text(
            "[core]\nlocal_scheduler = true\nno_lock = true\n[spark]\n"
            f"master = {self.master}\nconf = {conf}\n{self.section}"
        )
        start = subprocess.run if self.host is None else self.host.run
        done = start(
            command(),
            cwd=folder,
            env=environment(spark_home(folder), self.python),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"{done.stderr[-4000:]}\n{spark_log(done.stderr)[-4000:]}"
        (measured,) = folder.glob("output/Evaluate/*/metrics.json")
        return float(json.loads(measured.read_text())["accuracy"])


def spark_log(said: str) -> str:
    """What stands in the log that an error names; empty where it names none."""
    named = re.search(r"its log: ([^)]+)", said)
    return Path(named[1]).read_text() if named else ""


def command() -> list[str]:
    """The telescope's experiment, with fewer epochs."""
    data = REPOSITORY / "examples/data/magic04.csv"
    config = ("--config", str(REPOSITORY / "configs/magic.toml"))
    changed = (f"preprocess.sources.events.path={data}", "train.num_epoch=6")
    options = [option for one in changed for option in ("--set", one)]
    return [sys.executable, "-m", "luigi", "--module", "tasks", "Evaluate", *config, *options]


@pytest.fixture(scope="module")
def in_one_process(tmp_path_factory: pytest.TempPathFactory) -> float:
    """The accuracy under ``local[2]``."""
    return Place("local[2]").accuracy(tmp_path_factory.mktemp("local"))


@pytest.fixture
def local_cluster() -> Place:
    return Place("local-cluster[2,1,1024]")


@pytest.fixture
def two_hosts(standalone: Standalone) -> Place:
    return Place(standalone.url, host=standalone.driver)


@pytest.fixture
def containers(yarn: Yarn, tmp_path: Path) -> Place:
    """YARN, with HDFS as its default file system; its containers get their Python shipped."""
    packed = tmp_path / "environment.tar.gz"
    pack_environment(borrowing(tmp_path / "small"), packed)
    conf = {
        "spark.executor.instances": "2",
        "spark.executorEnv.PYTHONPATH": "",
        "spark.yarn.am.memory": "512m",
        # ms. The tests' own HDFS gives a DataNode up that is slow for 10 s, as a busy machine is.
        "spark.hadoop.dfs.client.socket-timeout": "60000",
        # Spark would upload 400 MB of its own jars, which this machine has.
        "spark.yarn.jars": f"local:{spark_jars()}/*",
    }
    section = f"hadoop_conf_dir = {yarn.conf_dir}\narchives = {packed}#environment\n"
    return Place("yarn", conf, section=section, python="./environment/bin/python")


def borrowing(folder: Path) -> Path:
    """A virtual environment that is small: its packages are those of this one."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "borrowed.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    return folder


@pytest.mark.parametrize("place", PLACES)
def test_a_model_is_as_good_as_one_of_a_single_process(
    request: pytest.FixtureRequest, in_one_process: float, place: str, tmp_path: Path
) -> None:
    accuracy = request.getfixturevalue(place).accuracy(tmp_path)
    assert in_one_process > 0.8
    assert abs(accuracy - in_one_process) < 0.01
