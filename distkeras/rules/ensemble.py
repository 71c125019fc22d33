"""Ensemble: workers that know nothing of each other; the center stays what it was.

Sends W; the server leaves c as it is and answers W; W stays. So the exchange changes nothing for
the worker: it serves progress, the history, and what a retried task resumes from. At the end the
server has each worker's last W: the members of the ensemble.

Source: Breiman, "Bagging Predictors", Machine Learning 24, 1996.

Differs from the paper: the members' rows are shares that do not overlap, not bootstrap samples.

Take it where several models that disagree are wanted, to average their outputs or to let them
vote.

>>> import numpy as np
>>> merged = ensemble().merge(np.float32([0, 0]), np.float32([3, 1]), None)
>>> merged.center.tolist(), merged.answer.tolist()
([0.0, 0.0], [3.0, 1.0])
"""

from __future__ import annotations

from distkeras.rules.base import Exchange, Merged, Rule, adopt_answer, send_weights
from distkeras.vectors import Vector

__all__ = ["ensemble"]


def ensemble() -> Rule:
    """The rule; it has no parameters."""
    return Rule("Ensemble", send_weights, merge, adopt_answer)


def merge(center: Vector, sent: Vector, exchange: Exchange) -> Merged:
    """The center stays; the answer is W."""
    return Merged(center, sent)
