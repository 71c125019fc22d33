"""A Spark standalone cluster of several hosts on this machine, from the jars that pyspark has."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from distkeras.errors import EnvironmentProblem
from scripts.clusters.hadoop import READY_SECONDS, await_that
from scripts.clusters.namespaces import Host, Namespaces

__all__ = ["Standalone"]

PORT = 7077
MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"

#: Of the heap of a Master or a Worker, which do no work themselves.
DAEMON_MEMORY = "256m"
#: They start sooner so, and are never busy for long.
JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"


class Standalone:
    """A Master, Workers and a host for the driver, each in a network namespace of its own.

    A context manager: entered, all Workers are registered with the Master; left, nothing of it
    runs or is there any more but the folder.

    Args:
        folder: where Spark's logs and working files go; made where it is not there.
        workers: hosts with a Worker.
        cores: of each Worker.
        megabytes: that each Worker has for executors.

    Attributes:
        url: for ``spark.master``.
        master: the Master's host.
        workers: the Workers' hosts.
        driver: the host on which nothing runs yet.

    Raises:
        EnvironmentProblem: if namespaces are not permitted, or a process does not start; the
            message names its log.
    """

    def __init__(
        self, folder: Path, workers: int = 2, cores: int = 1, megabytes: int = 1024
    ) -> None:
        names = [f"worker-{number}" for number in range(workers)]
        self._folder = folder
        self._namespaces = Namespaces(["master", "driver", *names])
        self._size = ("--cores", f"{cores}", "--memory", f"{megabytes}m")
        self._started: list[_Process] = []
        self.master = self._namespaces["master"]
        self.driver = self._namespaces["driver"]
        self.workers = [self._namespaces[name] for name in names]
        self.url = f"spark://{self.master.address}:{PORT}"

    def __enter__(self) -> Standalone:
        """The cluster, ready for a driver."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            undo.enter_context(self._namespaces)
            undo.callback(self._reap)
            self._start()
            undo.pop_all()
        return self

    def __exit__(self, *problem: object) -> None:
        """Ends all processes of all hosts, the driver's too."""
        self._namespaces.__exit__()
        self._reap()

    def _start(self) -> None:
        at = ("--host", self.master.address, "--port", f"{PORT}", "--webui-port", "0")
        self._launch(self.master, MASTER, at, "I have been elected leader").await_ready()
        for host in self.workers:
            work = ("--work-dir", str(self._folder / host.name), "--webui-port", "0", self.url)
            arguments = ("--host", host.address, *self._size, *work)
            self._launch(host, WORKER, arguments, "Successfully registered")
        for process in self._started:
            process.await_ready()

    def _launch(self, host: Host, main: str, arguments: Sequence[str], said: str) -> _Process:
        log = self._folder / f"{host.name}.log"
        home = _spark_home()
        command = [str(home / "bin" / "spark-class"), main, *arguments]
        with log.open("wb") as output:
            process = host.popen(
                command,
                env=self._environment(host, home),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._started.append(_Process(f"{main} on {host.name}", process, log, said))
        return self._started[-1]

    def _reap(self) -> None:
        for one in self._started:
            one.process.kill()
            one.process.wait()
        self._started.clear()

    def _environment(self, host: Host, home: Path) -> Mapping[str, str]:
        """Nothing of Spark's that the caller has set for a driver of its own."""
        own = {k: v for k, v in os.environ.items() if not k.startswith(("SPARK_", "PYSPARK_"))}
        return own | {
            "SPARK_HOME": str(home),
            "SPARK_DAEMON_MEMORY": DAEMON_MEMORY,
            "SPARK_DAEMON_JAVA_OPTS": JAVA,
            "SPARK_LOCAL_IP": host.address,
            "SPARK_LOCAL_DIRS": str(self._folder / "local"),
        }


@dataclass(frozen=True)
class _Process:
    """A Master or a Worker, which says in its log when it is ready."""

    name: str
    process: subprocess.Popen[Any]
    log: Path
    said: str

    def await_ready(self) -> None:
        await_that(f"{self.name} is ready; its log is {self.log}", self._settled, READY_SECONDS)
        if self.process.poll() is not None:
            raise EnvironmentProblem(f"{self.name} has ended; its log is {self.log}")

    def _settled(self) -> bool:
        ended = self.process.poll() is not None
        return ended or self.said in self.log.read_text(errors="replace")


def _spark_home() -> Path:
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        raise EnvironmentProblem("pyspark is not installed: pip install pyspark")
    return Path(found.origin).parent
