"""Trainers whose workers wait for each other at every exchange.

On Spark their workers are a barrier stage: all start at the same time, and all start again, each
after its last merged window, when one fails. Spark has none with dynamic allocation.
"""

from __future__ import annotations

from typing import Any

from distkeras import rules
from distkeras.rules import Rule
from distkeras.rules.arguments import fraction, positive
from distkeras.trainers.base import Trainer
from distkeras.trainers.elastic import Elastic

__all__ = ["EASGD", "AveragingTrainer", "DiLoCo"]


class AveragingTrainer(Trainer):
    """The center is the mean of the workers: ``rules.averaging``.

    Arguments as ``Trainer``; the workers are averaged after each epoch, or after every
    ``communication_window`` mini-batches where it is given.
    """

    default_window = None

    def _rule(self) -> Rule:
        return rules.averaging()


class EASGD(Elastic):
    """As ``AEASGD``, but all workers at the same time: ``rules.easgd``.

    Args:
        *arguments: as ``Trainer``; the communication window is 32 where it is not given.
        rho: how strongly a worker is held; no unit.
        learning_rate: eta of the elastic step, alpha = eta rho; not the worker optimizer's.
        **keywords: as ``Trainer``.

    Raises:
        ConfigError: if rho * learning_rate is not in (0, 1), or so large that the center swings.
    """

    def _rule(self) -> Rule:
        return rules.easgd(self.rho, self.learning_rate, self.num_workers)


class DiLoCo(Trainer):
    """Nesterov momentum on the mean of what the workers did: ``rules.diloco``.

    Args:
        *arguments: as ``Trainer``; the communication window is 100 where it is not given (the
            paper, with far more data, has 500).
        outer_learning_rate: of the center's steps.
        outer_momentum: of the center's steps, in [0, 1).
        **keywords: as ``Trainer``.
    """

    default_window = 100

    def __init__(
        self,
        *arguments: Any,
        outer_learning_rate: float = 0.7,
        outer_momentum: float = 0.9,
        **keywords: Any,
    ) -> None:
        self.outer_learning_rate = positive("outer_learning_rate", outer_learning_rate)
        self.outer_momentum = fraction("outer_momentum", outer_momentum)
        super().__init__(*arguments, **keywords)

    def _rule(self) -> Rule:
        return rules.diloco(self.outer_learning_rate, self.outer_momentum)
