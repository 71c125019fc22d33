"""ADAG: what a worker did, normalised by the number of its steps.

Sends Delta / lambda, Delta = W - W0; the server sets c <- c + Delta / lambda and answers c;
W <- c. The thesis calls it AGN, accumulated gradient normalisation.

Take it first: it bears more workers and longer windows than DOWNPOUR, with nothing to tune. One
exchange moves the center by no more than one step, so long windows need more passes.

Source: Hermans, "On Scalable Deep Learning and Parallelizing Gradient Descent", 2017, chapter 3,
algorithm 1; arXiv:1710.02368.

Differs from the paper: a window that is shorter than lambda because the data ends is divided by
the steps that it has, so that the sent vector stays a mean step.

>>> import numpy as np
>>> adag().send(Window(np.float32([5, 1]), np.float32([1, 1]), steps=4)).tolist()
[1.0, 0.0]
"""

from __future__ import annotations

import numpy as np

from distkeras.rules.base import Rule, Window, adopt_answer
from distkeras.rules.downpour import merge
from distkeras.vectors import Vector

__all__ = ["adag"]


def adag() -> Rule:
    """The rule; lambda is the communication window that the worker reports."""
    return Rule("ADAG", send, merge, adopt_answer)


def send(window: Window) -> Vector:
    """Delta / lambda = (W - W0) / steps."""
    return (window.weights - window.start) / np.float32(window.steps)
