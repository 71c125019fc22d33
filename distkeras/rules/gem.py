"""GEM: together the workers move the center no faster than one worker with momentum would.

Sends Delta = W - W0. For each worker the server keeps the proxy's momentum m, the speed that one
worker alone would have, and c_seen, the center that this worker's last exchange found (at first:
the one it started from). All of it elementwise, it sets

    m <- mu m + Delta
    v = c - c_seen, how far the center has come since, this worker's last update included
    pi = clip((kappa |m| - |v|) / |Delta|, 0, 5)
    c <- c + pi Delta

and answers c; W <- c. Where the others already move the center as fast as the proxy, pi is 0;
where the center is slower, pi is above 1. m stays as it is, c_seen becomes the c before.

Take it with many workers that exchange after every step or few, where the adding rules diverge;
for lambda = 1 and plain SGD, Delta is the paper's -eta gradient.

Source: Hermans, Louppe, "Gradient Energy Matching for Distributed Asynchronous Gradient Descent",
2018; arXiv:1805.08469.

Differs from the paper: there the worker scales its update, here the server does, with the same
numbers, so that a retried worker loses nothing and a center may be cut into shards. And
pi Delta is computed as sign(Delta) clip(kappa |m| - |v|, 0, 5 |Delta|): the same without a
division, so that no small number is needed beside Delta. Of a window of more than one step the
whole Delta takes the place of the gradient.

>>> import numpy as np
>>> rule, start = gem(momentum=0.5), np.float32([0, 0])
>>> first = rule.merge(start, np.float32([2, -4]), Exchange(0, start))
>>> first.center.tolist()
[2.0, -4.0]
>>> then = Exchange(0, first.center, memory=first.memory)
>>> rule.merge(first.center, np.float32([2, 0]), then).center.tolist()
[3.0, -4.0]
"""

from __future__ import annotations

from functools import partial

import numpy as np

from distkeras.rules.arguments import fraction, positive
from distkeras.rules.base import Exchange, Merged, Rule, adopt_answer, send_delta
from distkeras.vectors import Vector

__all__ = ["gem"]

#: The most by which an update is scaled, as in the paper.
LARGEST = np.float32(5)


def gem(momentum: float = 0.9, kappa: float = 1.0) -> Rule:
    """The rule for this proxy.

    Args:
        momentum: mu of the proxy, in [0, 1).
        kappa: how much faster than the proxy the center may move; no unit.

    Raises:
        ConfigError: if the momentum is not in [0, 1), or kappa not above 0.
    """
    mu = np.float32(fraction("momentum", momentum))
    scale = np.float32(positive("kappa", kappa))
    return Rule("GEM", send_delta, partial(merge, mu=mu, kappa=scale), adopt_answer)


def merge(
    center: Vector, sent: Vector, exchange: Exchange, mu: np.float32, kappa: np.float32
) -> Merged:
    """C <- c + pi Delta; the answer is the new center."""
    momentum, seen = exchange.memory or (np.zeros_like(center), exchange.adopted)
    momentum = mu * momentum + sent
    speed_left = kappa * np.abs(momentum) - np.abs(center - seen)
    length = np.clip(speed_left, np.float32(0), LARGEST * np.abs(sent))
    merged = center + np.sign(sent) * length
    return Merged(merged, merged, memory=(momentum, center))
