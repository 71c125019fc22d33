"""AEASGD: worker and center pull at each other like the ends of a spring.

Sends W; the server forms the elastic difference E = alpha (W - c), alpha = eta rho, sets
c <- c + E and answers E; W <- W - E. Both sides use the same E, computed once.

Take it with long windows, where the adding rules drift: the workers explore on their own, and
the center is what they have in common.

Source: Zhang, Choromanska, LeCun, "Deep learning with Elastic Averaging SGD", NIPS 2015,
algorithm 1; arXiv:1412.6651.

Differs from the paper: c is the center when the server merges, not when the worker read it;
there is no time between the two.

>>> import numpy as np
>>> rule = aeasgd(rho=5.0, learning_rate=0.1)
>>> first = Exchange(staleness=0, adopted=np.float32([0, 2]))
>>> merged = rule.merge(np.float32([0, 2]), np.float32([4, 2]), first)
>>> merged.center.tolist(), merged.answer.tolist()
([2.0, 2.0], [2.0, 0.0])
"""

from __future__ import annotations

from functools import partial

import numpy as np

from distkeras.rules.arguments import alpha_of
from distkeras.rules.base import Exchange, Merged, Rule, send_weights
from distkeras.vectors import Vector

__all__ = ["aeasgd", "elastic_difference"]


def aeasgd(rho: float = 5.0, learning_rate: float = 0.1) -> Rule:
    """The rule for these elastic parameters.

    Args:
        rho: how strongly a worker is held to the center; no unit.
        learning_rate: eta of alpha = eta rho.

    Raises:
        ConfigError: if a parameter is not above 0, or alpha not in (0, 1), where the spring does
            not overshoot.
    """
    alpha = np.float32(alpha_of(rho, learning_rate))
    return Rule("AEASGD", send_weights, partial(merge, alpha=alpha), adopt)


def elastic_difference(
    weights: Vector, center: Vector, alpha: np.float32, out: Vector | None = None
) -> Vector:
    """E = alpha (W - c), in ``out`` if given."""
    difference = np.subtract(weights, center, out=out)
    difference *= alpha
    return difference


def merge(center: Vector, sent: Vector, exchange: Exchange, alpha: np.float32) -> Merged:
    """C <- c + E; the answer is E."""
    difference = elastic_difference(sent, center, alpha, exchange.room())
    return Merged(np.add(center, difference, out=exchange.room()), difference)


def adopt(weights: Vector, answer: Vector) -> Vector:
    """W <- W - E."""
    return weights - answer
