"""What the elastic trainers share: a spring between each worker and the center."""

from __future__ import annotations

from typing import Any

from distkeras.rules.arguments import positive
from distkeras.trainers.base import Trainer

__all__ = ["Elastic"]


class Elastic(Trainer):
    """A trainer whose learning rate is that of the elastic step, alpha = eta rho.

    Args:
        *arguments: as ``Trainer``; the communication window is 32 where it is not given.
        rho: how strongly a worker is held; no unit.
        learning_rate: eta; not the worker optimizer's.
        **keywords: as ``Trainer``.
    """

    default_window = 32
    learning_rate_is_the_rules = True

    def __init__(
        self, *arguments: Any, rho: float = 5.0, learning_rate: float = 0.1, **keywords: Any
    ) -> None:
        self.rho = positive("rho", rho)
        super().__init__(
            *arguments, learning_rate=positive("learning_rate", learning_rate), **keywords
        )
