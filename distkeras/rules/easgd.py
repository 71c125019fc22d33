"""EASGD: elastic averaging in step; the springs of all workers pull at the center at once.

Sends W; the server waits for all n workers, sets c <- c + alpha n (mean(W) - c), which is
c + the sum of alpha (W_i - c), and answers the c before; W <- W - alpha (W - c before).

Take it where AEASGD's answers must be repeatable and the workers are equally fast. More workers
need a smaller alpha: each round multiplies mean(W) - c by 1 - alpha - n alpha (the workers give
the first alpha, the center the n others), so beyond (n + 1) alpha = 2 the two swing ever wider.

Source: Zhang, Choromanska, LeCun, "Deep learning with Elastic Averaging SGD", NIPS 2015,
equations 5 and 6; arXiv:1412.6651.

Differs from the paper: the gradient steps are the window's lambda local steps and come before the
elastic step, where the paper makes one of each at the same W.

>>> import numpy as np
>>> two = Exchange(staleness=0, adopted=np.float32([0, 2]), workers=2)
>>> merged = easgd(rho=2.5, learning_rate=0.1).merge(np.float32([0, 2]), np.float32([4, 2]), two)
>>> merged.center.tolist(), merged.answer.tolist()
([2.0, 2.0], [0.0, 2.0])
"""

from __future__ import annotations

from functools import partial

import numpy as np

from distkeras.errors import ConfigError
from distkeras.rules.aeasgd import elastic_difference
from distkeras.rules.arguments import alpha_of, positive_int
from distkeras.rules.base import Exchange, Merged, Rule, send_weights
from distkeras.vectors import Vector

__all__ = ["easgd"]


def easgd(rho: float = 5.0, learning_rate: float = 0.1, workers: int = 2) -> Rule:
    """The rule for these elastic parameters.

    Args:
        rho: how strongly a worker is held to the center; no unit.
        learning_rate: eta of alpha = eta rho.
        workers: n, for the check alone; the server tells the merge how many there are.

    Raises:
        ConfigError: if a parameter is not above 0, alpha not in (0, 1), or (n + 1) alpha not
            below 2.
    """
    alpha = alpha_of(rho, learning_rate)
    limit = 2 / (positive_int("workers", workers) + 1)
    if alpha >= limit:
        raise ConfigError(
            f"rho * learning_rate = {rho} * {learning_rate} = {alpha:g} diverges with {workers} "
            f"workers: it must be below 2 / (workers + 1) = {limit:g}"
        )
    step = np.float32(alpha)
    merging, adopting = partial(merge, alpha=step), partial(adopt, alpha=step)
    return Rule("EASGD", send_weights, merging, adopting, synchronous=True)


def merge(center: Vector, sent: Vector, exchange: Exchange, alpha: np.float32) -> Merged:
    """C <- c + n alpha (mean(W) - c); the answer is the center before."""
    difference = elastic_difference(sent, center, alpha * np.float32(exchange.workers))
    return Merged(center + difference, center)


def adopt(weights: Vector, answer: Vector, alpha: np.float32) -> Vector:
    """W <- W - alpha (W - the center before)."""
    return weights - elastic_difference(weights, answer, alpha)
