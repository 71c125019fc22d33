"""EAMSGD: AEASGD whose workers make their local steps with Nesterov momentum.

What is sent, merged, answered and adopted is that of AEASGD: E = alpha (W - c); c <- c + E;
W <- W - E. The momentum belongs to the worker's optimizer, ``keras.optimizers.SGD`` with
``momentum`` and ``nesterov=True``; its velocity stays in the worker and no exchange changes it.

Take it where AEASGD learns well but slowly; a momentum near 1 wants a smaller learning rate.

Source: Zhang, Choromanska, LeCun, "Deep learning with Elastic Averaging SGD", NIPS 2015,
algorithm 2; arXiv:1412.6651.

Differs from the paper: Keras keeps the weights at the point to which the momentum looks ahead,
x + delta v in the paper's letters, so that is the W whose elastic difference is taken, not x.
The local steps are the same.

>>> import numpy as np
>>> from distkeras.rules import Exchange
>>> rule = eamsgd(rho=5.0, learning_rate=0.1)
>>> first = Exchange(staleness=0, adopted=np.float32([0, 2]))
>>> rule.merge(np.float32([0, 2]), np.float32([4, 2]), first).center.tolist()
[2.0, 2.0]
"""

from __future__ import annotations

from dataclasses import replace

from distkeras.rules.aeasgd import aeasgd
from distkeras.rules.base import Rule

__all__ = ["eamsgd"]


def eamsgd(rho: float = 5.0, learning_rate: float = 0.1) -> Rule:
    """The rule for these elastic parameters; the momentum is the worker's.

    Args:
        rho: how strongly a worker is held to the center; no unit.
        learning_rate: eta of alpha = eta rho.

    Raises:
        ConfigError: as ``aeasgd``.
    """
    return replace(aeasgd(rho, learning_rate), name="EAMSGD")
