"""Trainers whose workers know nothing of each other."""

from __future__ import annotations

from typing import Any

from distkeras import rules
from distkeras.errors import ConfigError
from distkeras.rules import Rule
from distkeras.rules.arguments import positive_int
from distkeras.trainers.base import Trainer
from distkeras.training import Training

__all__ = ["EnsembleTrainer", "SingleTrainer"]


class SingleTrainer(Trainer):
    """One worker, one task: what ``model.fit`` does, on a DataFrame; arguments as ``Trainer``."""

    default_workers = 1

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self.num_workers != 1:
            raise ConfigError(f"num_workers is {self.num_workers}, but a SingleTrainer has 1")

    def _rule(self) -> Rule:
        return rules.single()


class EnsembleTrainer(Trainer):
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

    def _trained(self, training: Training) -> list[Any]:
        return [training.model(weights) for weights in training.server.workers_weights()]
