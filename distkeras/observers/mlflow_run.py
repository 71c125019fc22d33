"""A training as a run of MLflow, logged by a process beside the driver."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from distkeras.errors import EnvironmentProblem, ServiceError
from distkeras.observers.base import Beginning
from distkeras.observers.mlflow_process import Order
from distkeras.observers.points import CENTER, Point
from distkeras.rules.arguments import positive

__all__ = ["MlflowRun", "check_installed"]

#: Of what a training is called in the experiment.
PREFIX = "train"


class MlflowRun:
    """An observer that logs a training to MLflow, which is not imported here.

    The metrics of a run are ``loss`` and the other names of ``EventFiles``, and for the workers
    ``worker-0/loss`` and so on; step and time are the same. A training that goes on from a
    checkpoint goes on in its run, where the windows that were trained twice are there twice.

    A server that does not answer holds nothing up but the end of the training, for ``patience``
    seconds at most; then one line of the log says what is missing.

    Args:
        tracking_uri: of a server, ``http://host:5000``, or a database, ``sqlite:///mlflow.db``.
        experiment: its name; it is made if it is not there.
        key: what is trained: the tag ``distkeras.key``, by which its run is found again.
        params: of a new run.
        tags: likewise.
        finest: seconds of training in one point, where windows are shorter.
        patience: seconds that the end of the training may wait for the server.

    Raises:
        EnvironmentProblem: MLflow is not installed.
    """

    def __init__(
        self,
        tracking_uri: str,
        experiment: str = "distkeras",
        key: str = "",
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        *,
        finest: float = 1.0,
        patience: float = 60.0,
    ) -> None:
        check_installed()
        self.finest, self.patience = positive("finest", finest), positive("patience", patience)
        name = f"{PREFIX}-{key}" if key else PREFIX
        texts = {one: str(value) for one, value in (params or {}).items()}
        self._order = Order(tracking_uri, experiment, key, False, name, texts, dict(tags or {}))
        self._process: subprocess.Popen[str] | None = None
        self._abandoned = False

    @property
    def name(self) -> str:
        """See ``Observer``."""
        return f"MLflow at {_without_password(self._order.tracking_uri)}"

    def open(self, beginning: Beginning) -> int:
        """See ``Observer``."""
        self._start(again=beginning.rows > 0)
        return beginning.rows

    def reopen(self) -> None:
        """Goes on with the newest run that has the key, where the training is over."""
        self._start(again=True)

    def take(self, points: Sequence[Point]) -> None:
        """See ``Observer``.

        Raises:
            ServiceError: there is no process any more.
        """
        metrics = [
            [_named(point.run, name), value, int(1000 * point.time), point.step]
            for point in points
            for name, value in point.values.items()
            if math.isfinite(value)
        ]
        self._say({"metrics": metrics})

    def tag(self, tags: Mapping[str, str]) -> None:
        """Tags the run; raises as ``take``."""
        self._say({"tags": dict(tags)})

    def close(self, succeeded: bool) -> None:
        """See ``Observer``.

        Raises:
            ServiceError: not all was logged; it says why.
        """
        process = self._running()
        with suppress(ServiceError):  # What it says, below, is why.
            self._say({"status": "FINISHED" if succeeded else "FAILED"})
        said, _ = process.communicate()
        self._process = None
        if self._abandoned:
            said = f"no answer within {self.patience:g} s"
        if said or process.returncode:
            why = said.strip() or f"its process ended with status {process.returncode}"
            raise ServiceError(f"not all is logged: {_without_password(why)}")

    def abandon(self) -> None:
        """See ``Observer``."""
        self._abandoned = True
        if (process := self._process) is not None:
            process.kill()

    def _start(self, again: bool) -> None:
        path = os.pathsep.join(one or os.getcwd() for one in sys.path)
        self._abandoned = False
        # The interrupt of a terminal is for the driver, which ends this one.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "distkeras.observers.mlflow_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
            start_new_session=True,
        )
        self._say(self._order._replace(again=again)._asdict())

    def _say(self, line: Mapping[str, Any]) -> None:
        pipe = self._running().stdin
        assert pipe is not None
        try:
            pipe.write(json.dumps(line) + "\n")
            pipe.flush()
        except (BrokenPipeError, ValueError) as error:
            raise ServiceError("not all is logged: its process has ended") from error

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise ServiceError("not all is logged: its process has ended")
        return self._process


def check_installed() -> None:
    """Refuses to begin what will need MLflow.

    Raises:
        EnvironmentProblem: it is not there.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise EnvironmentProblem("MLflow is not installed: pip install 'distkeras[mlflow]'")


def _named(run: str, name: str) -> str:
    return name if run == CENTER else f"{run}/{name}"


def _without_password(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text)
