"""DiLoCo: the mean of what the workers did is a gradient, and an outer optimizer follows it.

Sends Delta = W - W0; the server waits for all n workers and makes one step of SGD with Nesterov
momentum on the outer gradient g = -mean(Delta): v <- mu v + g; c <- c - eta (g + mu v). It
answers c; W <- c. The velocity v belongs to the center and starts at 0.

Take it with long windows (hundreds of steps) and an inner Adam or AdamW: it needs the fewest
exchanges. With eta = 1 and mu = 0 it is Averaging.

Source: Douillard et al., "DiLoCo: Distributed Low-Communication Training of Language Models",
2023, algorithm 1; arXiv:2311.08105. Defaults: those the paper recommends.

Differs from the paper: the inner optimizer is whatever the workers have, not only AdamW. Nesterov
momentum is written as PyTorch does, in which the first v is g.

>>> import numpy as np
>>> rule = diloco(learning_rate=0.5, momentum=0.5)
>>> first = rule.merge(np.float32([0, 2]), np.float32([4, 0]), Exchange(0, np.float32([0, 2])))
>>> first.center.tolist()
[3.0, 2.0]
"""

from __future__ import annotations

from functools import partial

import numpy as np

from distkeras.rules.arguments import fraction, positive
from distkeras.rules.base import Exchange, Merged, Rule, adopt_answer, send_delta
from distkeras.vectors import Vector

__all__ = ["diloco"]


def diloco(learning_rate: float = 0.7, momentum: float = 0.9) -> Rule:
    """The rule for this outer optimizer.

    Args:
        learning_rate: eta of the outer steps; no unit.
        momentum: mu of the outer steps, in [0, 1).

    Raises:
        ConfigError: if the learning rate is not above 0, or the momentum not in [0, 1).
    """
    eta = np.float32(positive("learning_rate", learning_rate))
    mu = np.float32(fraction("momentum", momentum))
    return Rule("DiLoCo", send_delta, partial(merge, eta=eta, mu=mu), adopt_answer, True)


def merge(
    center: Vector, sent: Vector, exchange: Exchange, eta: np.float32, mu: np.float32
) -> Merged:
    """C <- c - eta (g + mu v), v <- mu v + g, g = -mean(Delta); the answer is the new center."""
    gradient = -sent
    (velocity,) = exchange.state or (np.zeros_like(center),)
    velocity = velocity * mu + gradient
    step: Vector = (gradient + velocity * mu) * eta
    merged = center - step
    return Merged(merged, merged, state=(velocity,))
