"""What both sides do where a codec loses something, so that they agree and nothing stays lost.

Both sides know x, the weights from which a worker's window starts, bit for bit. With C the codec
and e what its packing has lost so far (0 at first), an exchange is:

    u = what the rule sends; W - x where it sends W       (worker)
    q = C(u + e), which travels;  e <- u + e - q           (worker)
    y = x + q                                              (both)
    the rule merges q; y where it sends W                  (server)
    r = C(adopt(sent, answer) - y), which travels back      (server)
    x <- y + r                                             (both)

Only differences are packed, never weights, so what is lost is a share of what has changed since
the last exchange and not of the weights. Sent as W, steps smaller than the codec's own would be
rounded away for good; Averaging's center would not move at all.

Nothing drifts apart, because r is taken from where the worker is: what r does not carry is in the
next one, for the rules that answer the center. For the elastic rules it is a spring that pulled a
little less. For a rule that sends W, the worker goes on from y and not from W; W - y is its e.

Exactly once: q is made once for a window, so that what is sent again is the same bytes; r is kept
with the answer. An attempt after the first begins with x, as the server knows it, and e = 0: what
the attempt before had not sent yet is lost with its process, as its optimizer's moments are. So is
the last e of a training.

Source: of e, Seide, Fu, Droppo, Li, Yu, "1-Bit Stochastic Gradient Descent", Interspeech 2014;
Karimireddy, Rebjock, Stich, Jaggi, "Error Feedback Fixes SignSGD", ICML 2019, algorithm 2 (EF-SGD);
arXiv:1901.09847. Differences from what both sides know, both ways: Tang, Yu, Lian, Zhang, Liu,
"DoubleSqueeze", ICML 2019; arXiv:1905.05957.

Differs from the papers: e is of a worker's difference after a window, not of a gradient. The way
back needs no e, because r is taken from where the worker is.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import NamedTuple

import numpy as np

from distkeras.codecs.base import Buffer, Codec
from distkeras.rules import Rule, Window
from distkeras.vectors import Vector

__all__ = ["Reply", "Told", "WorkerSide", "arrived", "told"]

#: Of r, which every codec takes without becoming infinite.
FURTHEST = np.float32(2.0**127)


class WorkerSide:
    """A worker's end of the exchanges of one attempt.

    Args:
        rule: the distributed optimizer.
        codec: of the run.
        start: x, shape (P,), as the server has told it.
    """

    def __init__(self, rule: Rule, codec: Codec, start: Vector) -> None:
        self._rule = rule
        self._codec = codec
        self._start = start
        self._lost: Vector | None = None

    def send(self, window: Window) -> tuple[Vector, Buffer | None]:
        """Packs a window, once; what that loses is added to the next one.

        Returns:
            What arrives, shape (P,), and how it travels; None for as it is.
        """
        sent = self._rule.send(window)
        if not self._codec.lossy:
            return sent, None
        # A worker that diverges says so with what it sends; the server has the words for it.
        with np.errstate(over="ignore", invalid="ignore"):
            if self._rule.sends_weights:
                sent = sent - self._start
            if self._lost is not None:
                sent = sent + self._lost
            packed = self._codec.pack(sent)
            self._lost = sent - packed.vector
            self._reached = self._start + packed.vector
        return packed.vector, packed.buffer

    def adopt(self, weights: Vector, answer: Vector) -> Vector:
        """The weights from which the next window starts.

        Args:
            weights: W, shape (P,), after the window that was packed last.
            answer: to it.
        """
        if not self._codec.lossy:
            return self._rule.adopt(weights, answer)
        self._start = self._reached + answer
        return self._start


def arrived(rule: Rule, start: Vector, vector: Vector) -> Vector:
    """What the rule merges of what came: q, or y where it sends W.

    Args:
        rule: the distributed optimizer.
        start: x, shape (P,).
        vector: q, shape (P,).
    """
    return start + vector if rule.sends_weights else vector


class Told(NamedTuple):
    """What a worker is answered.

    Attributes:
        weights: the x of its next window, shape (P,).
        vector: r, shape (P,).
        buffer: r as it travels.
    """

    weights: Vector
    vector: Vector
    buffer: Buffer


class Reply:
    """A worker's answer, which the first who asks for it packs: not under the server's lock.

    Args:
        rule: the distributed optimizer.
        codec: of the run.
        start: x, shape (P,).
        sent: from ``arrived``.
        answer: the rule's, shape (P,).
    """

    def __init__(
        self, rule: Rule, codec: Codec, start: Vector, sent: Vector, answer: Vector
    ) -> None:
        self._make = partial(told, rule, codec, start, sent, answer)
        self._told: Told | None = None
        self._lock = threading.Lock()

    @property
    def told(self) -> Told:
        """The same, whoever asks when."""
        with self._lock:
            if self._told is None:
                self._told = self._make()
                del self._make  # And with it the vectors that it was made of.
            return self._told


def told(rule: Rule, codec: Codec, start: Vector, sent: Vector, answer: Vector) -> Told:
    """R and what it makes of x; arguments as ``Reply``."""
    reached = sent if rule.sends_weights else start + sent
    with np.errstate(over="ignore"):
        difference = rule.adopt(sent, answer) - reached
    # Two finite vectors may be further apart than float32 holds; the rest comes next time.
    np.clip(difference, -FURTHEST, FURTHEST, out=difference)
    packed = codec.answers.pack(difference)
    return Told(reached + packed.vector, packed.vector, packed.buffer)
