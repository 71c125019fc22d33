"""Asks ``known_center.py`` for a training, on this machine or on a host in a namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scripts.clusters.namespaces import Host

REPOSITORY = Path(__file__).parents[2]

#: Of every session: small, and soon there.
CONF = {
    "spark.driver.memory": "1g",
    "spark.executor.memory": "1g",
    "spark.executorEnv.PYTHONPATH": str(REPOSITORY),
    "spark.sql.shuffle.partitions": "2",
    **{
        f"spark.{who}.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
        for who in ("driver", "executor")
    },
}

#: Seconds that a training may take, Spark's start and a slow machine included.
PATIENCE = 900


@dataclass(frozen=True)
class Ask:
    """What is asked for.

    Attributes:
        conf: Spark's settings.
        trainer: its name.
        trouble: what happens to a worker; one of ``known_center.TROUBLES``.
        idle: if not 0, the training begins, and the program ends, only when Spark has fewer
            executors than that.
        arguments: of the trainer.
        python: that the executors run.
    """

    conf: dict[str, str]
    trainer: str = "DOWNPOUR"
    trouble: str = "none"
    idle: int = 0
    arguments: dict[str, Any] = field(default_factory=dict)
    python: str = sys.executable

    def train(self, folder: Path, host: Host | None = None) -> dict[str, Any]:
        """What ``known_center.py`` prints; its log is in the folder."""
        script = Path(__file__).with_name("known_center.py")
        command = [sys.executable, str(script), str(folder)]
        with (folder / "driver.log").open("w") as log:
            options = {"stdout": subprocess.PIPE, "stderr": log, "timeout": PATIENCE, "text": True}
            start = subprocess.run if host is None else host.run
            env = environment(spark_home(folder), self.python)
            done = start(command, input=self._json(), env=env, **options)
        said = (folder / "driver.log").read_text()
        assert done.returncode == 0, said[-4000:]
        return {**json.loads(done.stdout.splitlines()[-1]), "log": said}

    def _json(self) -> str:
        return json.dumps({**vars(self), "conf": CONF | self.conf})


def spark_home(folder: Path) -> Path:
    """Spark as pyspark brings it, in a folder of one's own.

    ``local-cluster`` leaves what its executors wrote, archives included, in Spark's home.
    """
    found = find_spec("pyspark")
    assert found is not None
    assert found.origin is not None
    home = folder / "spark"
    home.mkdir()
    for entry in Path(found.origin).parent.iterdir():
        if entry.is_dir() and entry.name != "work":
            (home / entry.name).symlink_to(entry)
    return home


def environment(home: Path, python: str = sys.executable) -> dict[str, str]:
    """Of a driver's process, with this Spark, and whose executors run this Python."""
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("SPARK_")},
        "PYTHONPATH": str(REPOSITORY),
        "SPARK_HOME": str(home),
        "PYSPARK_PYTHON": python,
    }


def expected(epochs: int = 1, share: float = 1.0) -> list[float]:
    """The center's weights: two of the features, and the bias.

    Args:
        epochs: passes over the rows.
        share: how much of all workers' steps the rule merges.
    """
    step = share * epochs / 64 / 8
    return [step * 140, step * 120, step * 320]
