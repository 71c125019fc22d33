"""What a sweep chooses by, and by what it stops a training."""

from __future__ import annotations

from typing import NamedTuple

from distkeras.errors import ConfigError
from distkeras.stopping import better
from tasks.config import Experiment
from tasks.models import training_metrics
from tasks.sweep.space import SweepSpec

__all__ = ["Goal", "goal", "sweep_of"]

# Of the test split, by the kind of the label; the first is the default.
_MEASURES = {
    "classes": ("accuracy", "roc_auc", "loss"),
    "regression": ("rmse", "r2", "loss"),
}


class Goal(NamedTuple):
    """The two measures.

    Attributes:
        objective: of a model on the test split: by it the best is chosen.
        watched: of a training: by it one is stopped.
    """

    objective: str
    watched: str

    @property
    def less_is_better(self) -> bool:
        """Of the objective."""
        return less_is_better(self.objective)


def less_is_better(measure: str) -> bool:
    """Whether a measure is one of those of which less is better."""
    return better(measure, 0.0, 1.0)


def sweep_of(experiment: Experiment) -> SweepSpec:
    """The ``[sweep]`` of an experiment.

    Raises:
        ConfigError: there is none.
    """
    if experiment.sweep is None:
        raise ConfigError("nothing to search: the file has no [sweep]")
    return experiment.sweep


def goal(experiment: Experiment) -> Goal:
    """What an experiment's sweep chooses and stops by.

    Raises:
        ConfigError: the measure is not there, or not the same in all trials.
    """
    spec, kind = sweep_of(experiment), experiment.preprocess.label.kind
    objective = spec.objective or _MEASURES[kind][0]
    if objective not in _MEASURES[kind]:
        known = ", ".join(_MEASURES[kind])
        raise ConfigError(f"sweep.objective = {objective!r}: of {kind} there are {known}")
    trained = ["loss", *training_metrics(experiment)]
    watched = spec.watch or (objective if objective in trained else "loss")
    if _plain(watched) not in map(_plain, trained):
        raise ConfigError(
            f"sweep.watch = {watched!r}: the training measures {', '.join(trained)}: add it to "
            "train.metrics, or watch one of these"
        )
    _check_one_loss(spec, objective, watched)
    if spec.stops and experiment.train.submit is not None:
        raise ConfigError(
            "train.submit: a training on a Punchcard server cannot be stopped early: "
            "set sweep.percentile = 100, or train here"
        )
    return Goal(objective, watched)


def _plain(metric: str) -> str:
    """Keras calls BinaryAccuracy binary_accuracy in its results."""
    return metric.lower().replace("_", "")


def _check_one_loss(spec: SweepSpec, objective: str, watched: str) -> None:
    if "train.loss" not in spec.space:
        return
    for key, measure in (("objective", objective), ("watch", watched)):
        if measure == "loss" and (key == "objective" or spec.stops):
            raise ConfigError(
                f"sweep.{key} is loss, which is not comparable where train.loss is searched"
            )
