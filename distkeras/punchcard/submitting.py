"""How a job becomes a command: its folder for the runner, and ``spark-submit``'s arguments."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

from distkeras.errors import EnvironmentProblem
from distkeras.punchcard.job_file import JobFile
from distkeras.punchcard.launcher import write_whole

__all__ = ["Command", "SparkSubmit", "spark_submit_program"]

#: Makes the command of a job, of which it is told what was submitted and the folder.
Command: TypeAlias = Callable[[JobFile, Path], Sequence[str]]
#: What Spark runs. Not a module of the library: Spark puts its folder first on Python's path.
_MAIN = "import sys\n\nfrom distkeras.punchcard.runner import main\n\nsys.exit(main(sys.argv[1]))\n"
#: Settings that hold unless the server's owner says otherwise.
_DEFAULTS = {"spark.log.level": "WARN", "spark.ui.showConsoleProgress": "false"}
#: Spark's page asks for no secret: whoever reaches this machine sees there whose jobs they are not,
#: and ends their stages.
_DEFAULTS |= {"spark.ui.enabled": "false"}
#: How masters begin that make a secret for each job, without which nobody is let into its ports.
_OWN_SECRET = ("yarn", "k8s://")
_ALONE = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


def spark_submit_program() -> str:
    """Of ``SPARK_HOME``, or else that of the package pyspark.

    Raises:
        EnvironmentProblem: there is none.
    """
    home = os.environ.get("SPARK_HOME")
    found = None if home else find_spec("pyspark")
    folder = Path(home) if home else Path(str(found.origin)).parent if found else Path("nowhere")
    program = folder / "bin" / "spark-submit"
    if not program.exists():
        raise EnvironmentProblem(f"{program}: not there; install pyspark or set SPARK_HOME")
    return str(program)


@dataclass(frozen=True)
class SparkSubmit:
    """A ``Command``: each job is a ``spark-submit`` of its own, in client mode.

    Attributes:
        program: ``spark-submit``.
        artifacts: the folder of results, a path or URL.
        roots: that data may be in, which the runner asks once more.
        trainers: of the owner's own, ``package.module:Class``.
        masters: the first is for jobs that name none.
        conf: further settings of Spark, which win.
    """

    program: str
    artifacts: str
    roots: tuple[str, ...]
    trainers: tuple[str, ...] = ()
    masters: tuple[str, ...] = ("local",)
    conf: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, job: JobFile, folder: Path) -> Sequence[str]:
        """Writes what the runner reads; returns the command."""
        told = {"artifacts": self.artifacts, "roots": self.roots, "trainers": self.trainers}
        write_whole(folder / "job.json", {"job": job.model_dump(), **told})
        script = folder / "main.py"
        script.write_text(_MAIN)
        settings = _DEFAULTS | self._settings(job) | dict(self.conf)
        pairs = [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
        master = ["--master", self._master(job), "--deploy-mode", "client"]
        return [self.program, *master, f"--name={job.name}", *pairs, str(script), str(folder)]

    def _master(self, job: JobFile) -> str:
        master = job.master or self.masters[0]
        return f"local[{job.num_executors * job.num_processes}]" if master == "local" else master

    def _settings(self, job: JobFile) -> dict[str, str]:
        python = os.environ.get("PYSPARK_PYTHON", sys.executable)
        memory = f"{job.executor_memory_mb}m"
        settings = {"spark.pyspark.python": python, "spark.pyspark.driver.python": sys.executable}
        if self._master(job).startswith("local["):
            return settings | _ALONE | {"spark.driver.memory": memory}
        if self._master(job).startswith(_OWN_SECRET):
            settings |= {"spark.authenticate": "true"}
        return settings | {
            # Otherwise a cluster that gives and takes executors gives as many as it has.
            "spark.dynamicAllocation.enabled": "false",
            "spark.dynamicAllocation.maxExecutors": str(job.num_executors),
            "spark.executor.instances": str(job.num_executors),
            "spark.executor.cores": str(job.num_processes),
            "spark.cores.max": str(job.num_executors * job.num_processes),
            "spark.executor.memory": memory,
        }


def job_of(folder: Path) -> tuple[JobFile, dict[str, list[str]], str]:
    """What ``SparkSubmit`` has written: the job, roots and trainers, and the folder of results."""
    told = json.loads((folder / "job.json").read_bytes())
    allowed = {"roots": told["roots"], "trainers": told["trainers"]}
    return JobFile.model_validate(told["job"]), allowed, told["artifacts"]
