"""Trainers whose workers exchange with the center without waiting for each other."""

from __future__ import annotations

from typing import Any

from distkeras import rules
from distkeras.rules import Rule
from distkeras.rules.arguments import fraction, positive
from distkeras.trainers.base import Trainer
from distkeras.trainers.elastic import Elastic

__all__ = ["ADAG", "AEASGD", "DOWNPOUR", "EAMSGD", "GEM", "DynSGD", "Experimental"]


class DOWNPOUR(Trainer):
    """The center adds up what the workers did: ``rules.downpour``.

    Arguments as ``Trainer``; the communication window is 5 where it is not given.
    """

    default_window = 5

    def _rule(self) -> Rule:
        return rules.downpour()


class ADAG(Trainer):
    """The center adds each worker's mean step: ``rules.adag``.

    Arguments as ``Trainer``; the communication window is 12 where it is not given.
    """

    default_window = 12

    def _rule(self) -> Rule:
        return rules.adag()


class DynSGD(Trainer):
    """The center adds what the workers did, the less the staler: ``rules.dynsgd``.

    Arguments as ``Trainer``; the communication window is 5 where it is not given.
    """

    default_window = 5

    def _rule(self) -> Rule:
        return rules.dynsgd()


class AEASGD(Elastic):
    """Workers explore, a spring holds them to the center: ``rules.aeasgd``.

    Args:
        *arguments: as ``Trainer``; the communication window is 32 where it is not given.
        rho: how strongly a worker is held; no unit.
        learning_rate: eta of the elastic step, alpha = eta rho; not the worker optimizer's.
        **keywords: as ``Trainer``.

    Raises:
        ConfigError: if rho * learning_rate is not in (0, 1).
    """

    def _rule(self) -> Rule:
        return rules.aeasgd(self.rho, self.learning_rate)


class EAMSGD(AEASGD):
    """As ``AEASGD``, with Nesterov momentum in the local steps: ``rules.eamsgd``.

    Args:
        *arguments: as ``AEASGD``; the worker optimizer must be Keras' SGD, by name or with its
            learning rate, and is given the momentum here.
        momentum: of the local steps, in [0, 1).
        **keywords: as ``AEASGD``.

    ``train`` refuses another optimizer, which the paper does not have.
    """

    def __init__(self, *arguments: Any, momentum: float = 0.9, **keywords: Any) -> None:
        self.momentum = fraction("momentum", momentum)
        super().__init__(*arguments, **keywords)

    def _rule(self) -> Rule:
        return rules.eamsgd(self.rho, self.learning_rate)

    @property
    def nesterov(self) -> float:
        """The momentum of the local steps."""
        return self.momentum


class Experimental(Trainer):
    """The center adds mean steps, the less the further it has moved: ``rules.experimental``.

    Args:
        *arguments: as ``Trainer``; the communication window is 5 where it is not given.
        learning_rate: eta of the distance; not the worker optimizer's.
        **keywords: as ``Trainer``.
    """

    default_window = 5
    learning_rate_is_the_rules = True

    def __init__(self, *arguments: Any, learning_rate: float = 1.0, **keywords: Any) -> None:
        super().__init__(
            *arguments, learning_rate=positive("learning_rate", learning_rate), **keywords
        )

    def _rule(self) -> Rule:
        assert self.learning_rate is not None
        return rules.experimental(self.learning_rate)


class GEM(Trainer):
    """The center moves no faster than one momentum SGD would: ``rules.gem``.

    Args:
        *arguments: as ``Trainer``; the communication window is 1 where it is not given, as in
            the paper.
        momentum: of that SGD, in [0, 1).
        kappa: how many times as fast the center may move; no unit.
        **keywords: as ``Trainer``.
    """

    default_window = 1

    def __init__(
        self, *arguments: Any, momentum: float = 0.9, kappa: float = 1.0, **keywords: Any
    ) -> None:
        self.momentum = fraction("momentum", momentum)
        self.kappa = positive("kappa", kappa)
        super().__init__(*arguments, **keywords)

    def _rule(self) -> Rule:
        return rules.gem(self.momentum, self.kappa)
