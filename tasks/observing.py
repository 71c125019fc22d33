"""Who looks on while an experiment is trained and evaluated: TensorBoard, MLflow."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distkeras.observers import EventFiles, MlflowRun, Observer, Point
from distkeras.observers.following import tolerated
from distkeras.observers.points import CENTER
from distkeras.storage import spark_url

if TYPE_CHECKING:
    from tasks.base import ExperimentTask

__all__ = ["Evaluation", "evaluation", "flat", "observers"]

#: What stands under such a name is for nobody to read.
SECRET = re.compile(r"secret|passw|token|credential|(api|access|private)_?key", re.IGNORECASE)
#: User and password in a URL.
USER = re.compile(r"(?<=//)[^/@\s]*@")
#: Tables that say nothing of what is trained.
APART = {"mlflow", "compare", "output"}


def observers(task: ExperimentTask) -> list[Observer]:
    """Those of a Train task, as its config names them.

    Args:
        task: whose key is the name of its folder, and its run's tag.
    """
    found: list[Observer] = []
    if (folder := task.experiment.train.tensorboard) is not None:
        found.append(EventFiles(f"{folder}/{task.key}"))
    if (run := _run(task)) is not None:
        found.append(run)
    return found


class Evaluation:
    """What an Evaluate task adds to the run of its training.

    Args:
        run: of the training; None: nobody asks.
        task: the Evaluate task.
    """

    def __init__(self, run: MlflowRun | None, task: ExperimentTask) -> None:
        self._run, self._task = run, task

    def log(self, metrics: Mapping[str, Any], rows: int) -> None:
        """Logs the numbers among the metrics as ``test_accuracy`` and so on.

        Args:
            metrics: of the test split.
            rows: merged in the training: the step.
        """
        if self._run is None:
            return
        numbers = {f"test_{name.replace('.', '_')}": one for name, one in _numbers(metrics)}
        with tolerated(self._run):
            self._run.take([Point(CENTER, rows, time.time(), numbers)])
            self._run.tag(_about(self._task, "distkeras.evaluate"))
            self._run.close(True)


@contextmanager
def evaluation(task: ExperimentTask, train: ExperimentTask) -> Iterator[Evaluation]:
    """Begins to look for the run of a training, which takes a while.

    Args:
        task: the Evaluate task.
        train: the Train task.
    """
    run = _run(train)
    try:
        if run is not None:
            run.reopen()
        yield Evaluation(run, task)
    finally:
        if run is not None:
            run.abandon()  # Unless it is closed.


def flat(table: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """A config as one level of keys with dots, without what is not set and without secrets."""
    found: dict[str, str] = {}
    for key, value in table.items():
        name = f"{above}.{key}".lstrip(".")
        if SECRET.search(key) or value is None:
            continue
        if isinstance(value, Mapping):
            found |= flat(value, name)
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            found[name] = USER.sub("", text)
    return found


def _run(train: ExperimentTask) -> MlflowRun | None:
    spec = train.experiment.mlflow
    if spec is None:
        return None
    params = flat(train.experiment.model_dump(mode="json", exclude=APART))
    tags = {**_about(train, "distkeras"), "distkeras.config": train.config}
    return MlflowRun(
        spec.tracking_uri, spec.experiment, train.key, params, tags, patience=spec.patience
    )


def _about(task: ExperimentTask, prefix: str) -> dict[str, str]:
    return {f"{prefix}.key": task.key, f"{prefix}.url": spark_url(task.output().url)}


def _numbers(metrics: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    for key, value in metrics.items():
        name = f"{above}.{key}".lstrip(".")
        if isinstance(value, Mapping):
            yield from _numbers(value, name)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, float(value)
