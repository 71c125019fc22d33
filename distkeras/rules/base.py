"""What a distributed optimizer is: three pure functions and a flag.

After a window of local steps the worker *sends* one vector, the server *merges* it into the
center and answers with one vector, and the worker *adopts* the answer. An asynchronous rule
merges each vector as it comes; a synchronous one merges the mean of what all workers sent.

Notation in every file beside this one: W the worker's weights after the window, W0 the weights
that it adopted at its last exchange, Delta = W - W0, c the center, lambda the number of local
steps in the window, n the number of workers. Vectors are flat float32 of shape (P,). Every rule
is elementwise, so a center may be cut into shards. No function changes its inputs: the server
hands out centers without copying.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from distkeras.vectors import Vector

__all__ = ["Exchange", "Merged", "Rule", "Window", "adopt_answer", "send_delta", "send_weights"]


class Window(NamedTuple):
    """What a worker knows when it sends.

    Attributes:
        weights: W, shape (P,).
        start: W0, shape (P,).
        steps: lambda, the mini-batches in this window; the last window may have fewer.
    """

    weights: Vector
    start: Vector
    steps: int


def _no_room() -> None:
    return None


class Exchange(NamedTuple):
    """What the server knows when it merges.

    Attributes:
        staleness: tau, the updates merged since this worker's last exchange; 0 in a synchronous
            rule. With overlap also those between the two exchanges before, of which the worker
            had not heard either when it trained this window.
        adopted: c_k, shape (P,), the center as this worker's last exchange left it.
        workers: those whose vectors are merged at once: n in a synchronous rule, else 1.
        state: what the last merge kept for the center, vectors of shape (P,); () before the first.
        memory: what the last merge of this worker kept for it, likewise; () in a synchronous rule.
        room: gives a vector of shape (P,) to write a result into, as ``out=`` of NumPy's functions,
            or None for new memory. A rule need not ask; one that does is several times as fast
            with large vectors.
    """

    staleness: int
    adopted: Vector
    workers: int = 1
    state: tuple[Vector, ...] = ()
    memory: tuple[Vector, ...] = ()
    room: Callable[[], Vector | None] = _no_room


class Merged(NamedTuple):
    """What a merge leaves.

    Attributes:
        center: the new c, shape (P,).
        answer: what the worker is told, or all workers in a synchronous rule; shape (P,).
        state: kept for the center, vectors of shape (P,).
        memory: kept for this worker, likewise; not in a synchronous rule.
    """

    center: Vector
    answer: Vector
    state: tuple[Vector, ...] = ()
    memory: tuple[Vector, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A distributed optimizer.

    Attributes:
        name: as the field calls it.
        send: what the worker sends after a window.
        merge: (center, sent, exchange) -> what that makes of the center, and the answer; in a
            synchronous rule ``sent`` is the mean over the workers.
        adopt: (W, answer) -> the weights from which the worker's next window starts. A retried
            worker knows only what it sent, so (sent, answer) must give the same.
        synchronous: whether the server waits for every worker before it merges.
    """

    name: str
    send: Callable[[Window], Vector]
    merge: Callable[[Vector, Vector, Exchange], Merged]
    adopt: Callable[[Vector, Vector], Vector]
    synchronous: bool = False

    @property
    def sends_weights(self) -> bool:
        """Whether what a worker sends is W itself, by ``send_weights``; else it is a difference.

        A codec that loses something packs differences only, and so has to know.
        """
        return self.send is send_weights


def send_delta(window: Window) -> Vector:
    """Delta = W - W0."""
    return window.weights - window.start


def send_weights(window: Window) -> Vector:
    """W itself."""
    return window.weights


def adopt_answer(weights: Vector, answer: Vector) -> Vector:
    """W <- answer."""
    return answer
