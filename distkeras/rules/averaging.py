"""Averaging: all workers stop, their weights are averaged, all go on from the mean.

Sends W; the server waits for all n workers, sets c <- mean(W) and answers c; W <- c. How often
is the window's length: lambda steps, or as many as an epoch has to average once an epoch.

Take it as the baseline that every other rule must beat: it is repeatable, has nothing to tune
and waits for the slowest worker. The longer the window, the further the workers part before they
are averaged.

Source: Moritz, Nishihara, Stoica, Jordan, "SparkNet: Training Deep Networks in Spark", ICLR 2016;
arXiv:1511.06051.

Differs from the paper: nothing. As there, workers count alike, whatever their number of rows.

>>> import numpy as np
>>> averaging().merge(np.float32([9, 9]), np.float32([3, 0]), None).center.tolist()
[3.0, 0.0]
"""

from __future__ import annotations

from distkeras.rules.base import Exchange, Merged, Rule, adopt_answer, send_weights
from distkeras.vectors import Vector

__all__ = ["averaging"]


def averaging() -> Rule:
    """The rule; it has no parameters."""
    return Rule("Averaging", send_weights, merge, adopt_answer, synchronous=True)


def merge(center: Vector, sent: Vector, exchange: Exchange) -> Merged:
    """C <- mean(W), which is what arrives as sent; the answer is the new center."""
    return Merged(sent, sent)
