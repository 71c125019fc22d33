"""DOWNPOUR: the sum of what the workers did.

Sends Delta = W - W0; the server sets c <- c + Delta and answers c; W <- c.

Take it with few workers and short windows, where it is the fastest. The steps of n workers add
up to n times as long a step, so with many workers lower the learning rate or take ADAG.

Source: Dean et al., "Large Scale Distributed Deep Networks", NIPS 2012, section 4.1
(n_push = n_fetch = lambda).

Differs from the paper: the worker sends the difference of its weights, not the sum of its
gradients, so that any local optimizer may make the steps. With plain SGD the two are the same.

>>> import numpy as np
>>> first = Exchange(staleness=0, adopted=np.float32([1, 2]))
>>> downpour().merge(np.float32([1, 2]), np.float32([3, 0]), first).center.tolist()
[4.0, 2.0]
"""

from __future__ import annotations

import numpy as np

from distkeras.rules.base import Exchange, Merged, Rule, adopt_answer, send_delta
from distkeras.vectors import Vector

__all__ = ["downpour"]


def downpour() -> Rule:
    """The rule; it has no parameters of its own."""
    return Rule("DOWNPOUR", send_delta, merge, adopt_answer)


def merge(center: Vector, sent: Vector, exchange: Exchange) -> Merged:
    """C <- c + Delta; the answer is the new center."""
    merged = np.add(center, sent, out=exchange.room())
    return Merged(merged, merged)
