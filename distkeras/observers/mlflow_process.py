"""Logs what it reads to MLflow, in a process of its own: ``python -m`` with this module.

MLflow takes seconds to import, asks servers that may not answer, and reads its deadlines from the
environment: none of that is for the process that merges. Each line of the standard input is JSON,
the first of them what ``Order`` says, the others ``{"metrics": [[name, value, time in ms, step]],
"tags": {}, "status": ""}``, each key if it is needed. What is not logged at the end is the one line
of the standard output.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["Order", "main"]

#: The tag by which a run is found again.
KEY = "distkeras.key"
#: Where the environment says nothing else: a request is not to hang for MLflow's 120 seconds, eight
#: times, and a cluster's nightly job is not to tell others that it runs.
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
#: That a server takes in one request.
METRICS, PARAMS, LETTERS = 1000, 100, 500
#: Metrics that are kept while a server does not answer; the oldest are dropped first.
KEPT = 20_000


class Order(NamedTuple):
    """Where to log, and what the run is.

    Attributes:
        tracking_uri: of the server or the database.
        experiment: its name; it is made if it is not there.
        key: what is trained; the tag by which the run is found again.
        again: go on with the newest run that has the key, if there is one.
        name: of a new run.
        params: of a new run.
        tags: likewise.
    """

    tracking_uri: str
    experiment: str
    key: str
    again: bool
    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]


class Logged:
    """One run, and what is still to be logged of it."""

    def __init__(self, order: Order) -> None:
        from mlflow import MlflowClient

        self._order = order
        self._client = MlflowClient(tracking_uri=order.tracking_uri)
        self._run = ""
        self._params: list[tuple[str, str]] = []
        self._metrics: list[list[Any]] = []
        self._tags: dict[str, str] = {}
        self._status = ""
        self.dropped = 0

    def take(self, told: Mapping[str, Any]) -> None:
        """Another line."""
        self._metrics += told.get("metrics", ())
        self.dropped += max(0, len(self._metrics) - KEPT)
        self._metrics = self._metrics[-KEPT:]
        self._tags |= told.get("tags", {})
        self._status = told.get("status", "")

    def log(self) -> None:
        """Logs what is there.

        Raises:
            Exception: as MLflow does; what was not logged is still there.
        """
        from mlflow.entities import Metric, Param, RunTag

        self._run = self._run or self._found() or self._made()
        while self._metrics or self._params or self._tags:
            metrics = [Metric(*one) for one in self._metrics[:METRICS]]
            params = [Param(*one) for one in self._params[:PARAMS]]
            tags = [RunTag(*one) for one in self._tags.items()]
            self._client.log_batch(self._run, metrics, params, tags)
            del self._metrics[:METRICS], self._params[:PARAMS]
            self._tags = {}
        if self._status:
            self._client.set_terminated(self._run, self._status)
            self._status = ""

    def _experiment(self) -> str:
        name = self._order.experiment
        found = self._client.get_experiment_by_name(name)
        return str(self._client.create_experiment(name) if found is None else found.experiment_id)

    def _found(self) -> str:
        if not self._order.again:
            return ""
        asked = f"tags.`{KEY}` = '{self._order.key}'"
        newest = ["attributes.start_time DESC"]
        runs = self._client.search_runs([self._experiment()], asked, max_results=1, order_by=newest)
        return str(runs[0].info.run_id) if runs else ""

    def _made(self) -> str:
        order = self._order
        tags = {**order.tags, KEY: order.key}
        run = self._client.create_run(self._experiment(), tags=tags, run_name=order.name)
        self._params = [(name, value[:LETTERS]) for name, value in order.params.items()]
        return str(run.info.run_id)


def main() -> None:
    """Reads until the end, or until who writes is gone."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    # What MLflow prints is not our one line.
    answer, sys.stdout = sys.stdout, sys.stderr
    if problem := _all(map(json.loads, sys.stdin)):
        print(problem, file=answer, flush=True)


def _all(lines: Iterator[Any]) -> str:
    """What could not be logged, and why; empty if there is nothing."""
    problem = ""
    try:
        logged = Logged(Order(**next(lines)))
        for told in lines:
            logged.take(told)
            # A server that does not answer now may do so later.
            problem = _tried(logged)
    except Exception as error:  # noqa: BLE001 - MLflow's own, and those of what it uses.
        return _line(error)
    return problem or (f"{logged.dropped} values were dropped" if logged.dropped else "")


def _tried(logged: Logged) -> str:
    try:
        logged.log()
    except Exception as error:  # noqa: BLE001 - likewise.
        return _line(error)
    return ""


def _line(error: Exception) -> str:
    words = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {words}"[:LETTERS]


if __name__ == "__main__":
    main()
