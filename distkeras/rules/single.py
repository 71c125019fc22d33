"""Single: one worker that trains alone; the center only follows it.

Sends W; the server sets c <- W and answers W; W stays. So the exchange changes nothing for the
worker: it serves progress, the history and what a retried task resumes from.

Take it where one worker is fast enough, and as what every other rule is compared with.

Source: none needed; it is what ``model.fit`` does.

>>> import numpy as np
>>> single().merge(np.float32([0, 0]), np.float32([3, 1]), None).center.tolist()
[3.0, 1.0]
"""

from __future__ import annotations

from distkeras.rules.base import Exchange, Merged, Rule, send_weights
from distkeras.vectors import Vector

__all__ = ["single"]


def single() -> Rule:
    """The rule; it has no parameters."""
    return Rule("Single", send_weights, merge, adopt)


def merge(center: Vector, sent: Vector, exchange: Exchange) -> Merged:
    """C <- W; the answer is W too."""
    return Merged(sent, sent)


def adopt(weights: Vector, answer: Vector) -> Vector:
    """W stays."""
    return weights
