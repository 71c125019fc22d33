"""What a distributed optimizer is: three pure functions and a flag.

After a window of local steps the worker *sends* one vector, the server *merges* it into the
center and answers with one vector, and the worker *adopts* the answer.

Notation in every file beside this one: W the worker's weights after the window, W0 the weights
that it adopted at its last exchange, c the center, lambda the number of local steps in the
window. Vectors are flat float32 of shape (P,). Every rule is elementwise, so a center may be
cut into shards. No function changes its inputs: the server hands out centers without copying.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from distkeras.vectors import Vector

__all__ = ["Exchange", "Rule", "Window", "adopt_answer"]


class Window(NamedTuple):
    """What a worker knows when it sends.

    Attributes:
        weights: W, shape (P,).
        start: W0, shape (P,).
        steps: lambda, the mini-batches in this window; the last window of an epoch may be shorter.
    """

    weights: Vector
    start: Vector
    steps: int


class Exchange(NamedTuple):
    """What the server knows when it merges.

    Attributes:
        staleness: tau, the updates merged since this worker's last exchange.
        adopted: c_k, shape (P,), the center as this worker's last exchange left it.
    """

    staleness: int
    adopted: Vector


@dataclass(frozen=True)
class Rule:
    """A distributed optimizer.

    Attributes:
        name: as the field calls it.
        send: what the worker sends after a window.
        merge: (center, sent, exchange) -> (the new center, the answer).
        adopt: (W, answer) -> the weights from which the worker's next window starts.
    """

    name: str
    send: Callable[[Window], Vector]
    merge: Callable[[Vector, Vector, Exchange], tuple[Vector, Vector]]
    adopt: Callable[[Vector, Vector], Vector]


def adopt_answer(weights: Vector, answer: Vector) -> Vector:
    """W <- answer: the worker goes on from the center."""
    return answer
