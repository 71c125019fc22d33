"""DynSGD: the staler an update, the less it counts.

Sends Delta = W - W0; the server sets c <- c + Delta / (tau + 1), tau being the updates merged
since this worker's last exchange, and answers c; W <- c.

Take it where DOWNPOUR swings because some workers are much slower than others. With n workers
of one speed every tau is n - 1, so the center moves by the mean of the workers.

Source: Jiang, Cui, Zhang, Yu, "Heterogeneity-aware Distributed Parameter Servers", SIGMOD 2017;
doi:10.1145/3035918.3035933.

Differs from the paper: no worker waits for a slower one (the paper bounds how far they drift
apart), and tau is known when the update arrives, so each update is weighed once and never again.

>>> import numpy as np
>>> stale = Exchange(staleness=3, adopted=np.float32([0, 0]))
>>> dynsgd().merge(np.float32([1, 2]), np.float32([4, -8]), stale).center.tolist()
[2.0, 0.0]
"""

from __future__ import annotations

import numpy as np

from distkeras.rules.base import Exchange, Merged, Rule, adopt_answer, send_delta
from distkeras.vectors import Vector

__all__ = ["dynsgd"]


def dynsgd() -> Rule:
    """The rule; it has no parameters of its own."""
    return Rule("DynSGD", send_delta, merge, adopt_answer)


def merge(center: Vector, sent: Vector, exchange: Exchange) -> Merged:
    """C <- c + Delta / (tau + 1); the answer is the new center."""
    share = np.divide(sent, np.float32(exchange.staleness + 1), out=exchange.room())
    merged = np.add(center, share, out=share)
    return Merged(merged, merged)
