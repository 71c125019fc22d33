"""A real server process of the tests, and what is asked of it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from distkeras.job_deployment.connection import Connection, Patience
from distkeras.job_deployment.remote import RemoteJob
from distkeras.job_deployment.submission import described, new_key, send
from distkeras.punchcard.checks import HDF5
from distkeras.punchcard.launcher import members, signal_members
from distkeras.punchcard.processes import Processes

REPOSITORY = Path(__file__).parents[2]
#: Seconds after which a test has failed, on however busy a machine.
SECONDS = 120.0

LAYER = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2}}
CONFIG = {"module": "keras", "class_name": "Sequential", "config": {"layers": [LAYER]}}


def tiny(path: Path, config: Any = CONFIG, **members: Any) -> Path:
    """A file that has all that a ``.keras`` file must have, without Keras."""
    content = {
        "metadata.json": json.dumps({"keras_version": "3"}),
        "config.json": json.dumps(config),
        "model.weights.h5": HDF5 + bytes(100),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (content | members).items():
            archive.writestr(name, text)
    return path


def until(condition: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Asks until the answer is yes."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not in {seconds:g} s"
        time.sleep(0.05)
    return found


class Server:
    """A server in a folder, which may be killed and started again.

    Args:
        folder: of the test.
        *options: further ones of the command line.
        module: what is run.
    """

    def __init__(self, folder: Path, *options: str, module: str = "tests.punchcard.standin"):
        self.folder, self.options, self.module = folder, options, module
        self.state, self.data = folder / "state", folder / "data"
        self.data.mkdir(exist_ok=True)
        self.secrets = folder / "secrets.json"
        self.users("ann", "bob")
        self.model = tiny(folder / "tiny.keras")
        self.url = ""
        self.process: subprocess.Popen[str] | None = None

    def users(self, *names: str) -> None:
        """Writes the secrets file: each user's secret is the name and ten digits."""
        entries = [{"identity": name, "secret": secret_of(name)} for name in names]
        beside = self.secrets.with_suffix(".new")
        beside.write_text(json.dumps(entries))
        beside.chmod(0o600)
        beside.replace(self.secrets)

    def start(self) -> None:
        command = [sys.executable, "-m", self.module, "--secrets", str(self.secrets)]
        command += ["--data-root", str(self.data), "--folder", str(self.state), "--port", "0"]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.options],
                cwd=self.folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
        line = self.process.stdout.readline() if ready else ""
        assert line.startswith("Punchcard at "), self.said()
        self.url = line.split()[-1]

    def said(self) -> str:
        return (self.folder / "server.log").read_text()

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(SECONDS)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        until(self._quiet, "the end of its jobs' processes")

    def _quiet(self) -> bool:
        """Kills what runs; whether nothing does. One that has just begun says so in a moment."""
        for session in self.sessions():
            signal_members(members(session), signal.SIGKILL)
        processes = Processes(self.state / "jobs")
        return not any(processes.runs(name) for name in processes.names())

    def sessions(self) -> list[int]:
        """Of all launchers that ever ran."""
        files = self.state.glob("jobs/*/process-*.json")
        return [json.loads(file.read_text())["pid"] for file in files]

    def files(self) -> list[str]:
        """What the server has on disk, but for its database."""
        found = (path.relative_to(self.state).as_posix() for path in self.state.rglob("*"))
        return sorted(name for name in found if name.startswith("jobs/"))

    def runs(self) -> Counter[str]:
        """How often each line is in what the jobs have noted."""
        with contextlib.suppress(FileNotFoundError):
            return Counter((self.state / "runs.txt").read_text().splitlines())
        return Counter()

    def go(self, name: str) -> None:
        """Lets the job of this name end."""
        (self.state / f"go-{name}").touch()

    def train(self, name: str, rows: int = 4000) -> None:
        """Lets the job ``train...`` of this name go to this row; 4000 is the last one."""
        beside = self.state / f"rows-{name}.new"
        beside.write_text(str(rows))
        beside.replace(self.state / f"rows-{name}")

    def connection(self, user: str = "ann", **patience: float) -> Connection:
        return Connection(self.url, secret_of(user), patience=Patience(**patience))

    def submit(self, name: str, user: str = "ann", **values: Any) -> RemoteJob:
        connection = self.connection(user)
        job = described(self.values(name, **values), self.model)
        return RemoteJob(connection, send(connection, job, self.model, new_key()))

    def values(self, name: str, **values: Any) -> dict[str, Any]:
        trainer = {"name": "ADAG", "arguments": {"num_epoch": 2}}
        return {"name": name, "data_path": str(self.data), "trainer": trainer, **values}


def secret_of(user: str) -> str:
    return f"{user}-0123456789"


def state(job: RemoteJob) -> str:
    return str(job.told()["state"])


def ended(jobs: list[RemoteJob], as_what: str = "succeeded") -> None:
    """Waits until all have ended, and all in this way."""
    for job in jobs:
        until(lambda job=job: state(job) in ("succeeded", "failed", "cancelled"), "the job's end")
        assert state(job) == as_what, job.told()


def alive(sessions: list[int]) -> Iterator[int]:
    return (one.pid for session in sessions for one in members(session))
