"""Experimental: staleness measured as the distance that the center has moved, weight by weight.

Sends Delta / lambda, as ADAG; the server sets c <- c + (Delta / lambda) / ((c - c_k)^2 / eta + 1),
c_k being the center that this worker adopted last, all of it elementwise, and answers c; W <- c.
A weight of the center that has not moved takes the whole step; one that moved by sqrt(eta) takes
half of it.

Take it with many workers where ADAG gets noisy: unlike DynSGD it holds back only those weights
on which others worked meanwhile. The smaller eta, the more it holds back.

Source: Hermans, "On Scalable Deep Learning and Parallelizing Gradient Descent", 2017, chapter 4.

Differs from the paper: eta is a parameter of its own and need not be the learning rate of the
workers, which may have a schedule or an optimizer with many.

>>> import numpy as np
>>> moved = Exchange(staleness=2, adopted=np.float32([1, 4]))
>>> experimental().merge(np.float32([1, 3]), np.float32([2, 2]), moved).center.tolist()
[3.0, 4.0]
"""

from __future__ import annotations

from functools import partial

import numpy as np

from distkeras.rules.adag import send
from distkeras.rules.arguments import positive
from distkeras.rules.base import Exchange, Merged, Rule, adopt_answer
from distkeras.vectors import Vector

__all__ = ["experimental"]


def experimental(learning_rate: float = 1.0) -> Rule:
    """The rule for this distance.

    Args:
        learning_rate: eta, the square of the distance that halves a step; unit: weight squared.

    Raises:
        ConfigError: if the learning rate is not a number above 0.
    """
    eta = np.float32(positive("learning_rate", learning_rate))
    return Rule("Experimental", send, partial(merge, eta=eta), adopt_answer)


def merge(center: Vector, sent: Vector, exchange: Exchange, eta: np.float32) -> Merged:
    """C <- c + sent / ((c - c_k)^2 / eta + 1); the answer is the new center."""
    distance = center - exchange.adopted
    merged = center + sent / (np.square(distance) / eta + np.float32(1))
    return Merged(merged, merged)
