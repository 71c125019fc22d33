"""Trainers whose workers know nothing of each other."""

from __future__ import annotations

from typing import Any

from distkeras import rules
from distkeras.codecs import codec_of
from distkeras.course import Course
from distkeras.errors import ConfigError
from distkeras.rules import Rule
from distkeras.rules.arguments import positive_int
from distkeras.trainers.base import Trainer
from distkeras.training import Training

__all__ = ["EnsembleTrainer", "SingleTrainer"]


class Alone(Trainer):
    """A trainer whose workers share nothing, so that nothing is compressed, overlaps or is cut.

    Arguments as ``Trainer``.
    """

    def _check(self) -> None:
        super()._check()
        lone = f"the workers of {type(self).__name__} share nothing"
        if codec_of(self.compression).lossy:
            raise ConfigError(f"compression is {self.compression!r}, but must be None: {lone}")
        if self.overlap:
            raise ConfigError(f"overlap is True, but must be False: {lone}")
        if self.num_parameter_servers != 1:
            raise ConfigError(
                f"num_parameter_servers is {self.num_parameter_servers}, but must be 1: {lone}"
            )


class SingleTrainer(Alone):
    """One worker, one task: what ``model.fit`` does, on a DataFrame; arguments as ``Trainer``."""

    default_workers = 1

    def _rule(self) -> Rule:
        return rules.single()

    def _check(self) -> None:
        super()._check()
        for name in ("num_workers", "parallelism_factor"):
            if getattr(self, name) != 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but a SingleTrainer has 1")


class EnsembleTrainer(Alone):
    """Several models at once, each trained alone on its share of the rows: ``rules.ensemble``.

    ``train`` returns a list of models; ``distkeras.ensembles`` makes one of them, by averaging
    their outputs or by voting.

    Args:
        *arguments: as ``Trainer``.
        num_ensembles: models.
        **keywords: as ``Trainer``, without ``num_workers``.
    """

    def __init__(self, *arguments: Any, num_ensembles: int = 2, **keywords: Any) -> None:
        if "num_workers" in keywords:
            raise ConfigError("an EnsembleTrainer takes num_ensembles, not num_workers")
        self.num_ensembles = positive_int("num_ensembles", num_ensembles)
        super().__init__(*arguments, num_workers=num_ensembles, **keywords)

    def _rule(self) -> Rule:
        return rules.ensemble()

    def _check(self) -> None:
        super()._check()
        if self.num_workers != self.num_ensembles:
            raise ConfigError(
                f"num_workers is {self.num_workers}, but there is one for each of the "
                f"{self.num_ensembles} ensembles"
            )
        if self.parallelism_factor != 1:
            raise ConfigError(
                f"parallelism_factor is {self.parallelism_factor}, but a member has 1 share"
            )

    def _train(self, rows: Any, course: Course) -> list[Any]:
        if course.validation is not None:
            raise ConfigError("validation: an EnsembleTrainer has no center that could be measured")
        members: list[Any] = super()._train(rows, course)
        return members

    def _trained(self, training: Training) -> list[Any]:
        return [training.plan.model(weights) for weights in training.server.workers_weights()]
