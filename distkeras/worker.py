"""The training loop of one worker. It knows neither Keras nor Spark nor sockets."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from distkeras.codecs.sides import WorkerSide
from distkeras.conversation import Answer, Failure, Update, Welcome
from distkeras.errors import DistkerasError, ExchangeTimeout, RoundTimeout
from distkeras.listener import Listener, Nobody
from distkeras.logs import logger
from distkeras.overlap import exchanging
from distkeras.prefetch import ahead
from distkeras.rules import Rule, Window
from distkeras.schedule import Schedule, Step
from distkeras.transport import Channel
from distkeras.vectors import Vector

__all__ = [
    "Assignment",
    "Rows",
    "Trained",
    "WindowRunner",
    "Worker",
    "report",
    "train",
]


log = logger(__name__)


class Rows(Protocol):
    """The rows of a partition, in an order that does not depend on how they arrived."""

    def __len__(self) -> int:
        """The number of rows."""

    def take(self, indices: npt.NDArray[np.int64]) -> Mapping[str, npt.NDArray[np.generic]]:
        """These rows, column by column, in this order."""


class Trained(NamedTuple):
    """What a window leaves: W, shape (P,), and the metrics, shape (m,), the loss first."""

    weights: Vector
    metrics: Vector


class WindowRunner(Protocol):
    """What trains a window: a replica of the model."""

    def run(
        self, weights: Vector, rows: Mapping[str, npt.NDArray[np.generic]], clock: int = 0
    ) -> Trained:
        """Trains on these rows in order, from these weights.

        ``clock`` counts the mini-batches that all workers have trained for the center so far.
        """


@dataclass(frozen=True)
class Assignment:
    """Who a worker is: the partition, and which try at it this is."""

    partition: int
    attempt: int


class Worker:
    """One worker between its exchanges: trains a window, and adopts what is answered.

    Args:
        who: the partition and the attempt.
        rows: its data.
        replica: its model.
        rule: the distributed optimizer.
        schedule: which rows when.
        listener: is told of each window; None for nobody.

    Attributes:
        wait: seconds that it stood still for its last exchange; 0 before the first.
        trained: windows that were trained here.
        batches: mini-batches in the last of them.
    """

    def __init__(
        self,
        who: Assignment,
        rows: Rows,
        replica: WindowRunner,
        rule: Rule,
        schedule: Schedule,
        listener: Listener | None = None,
    ) -> None:
        self._who = who
        self._rows = rows
        self._replica = replica
        self._rule = rule
        self._schedule = schedule
        self._listener = listener or Nobody()
        self.wait = 0.0
        self.trained = 0
        self.batches = 0

    def start(self, welcome: Welcome) -> None:
        """Begins where the server says."""
        who, self._clock = self._who, welcome.rows
        self._weights = self._start = self._sent = welcome.weights
        self._side = WorkerSide(self._rule, welcome.codec, welcome.weights)
        place = who.partition, len(self._rows), welcome.sequence
        self._steps = self._schedule.windows(*place)
        portions = (part for step in self._schedule.windows(*place) for part in step.portions)
        self._portions = ahead(map(self._rows.take, portions), self._schedule.prefetch)
        self._stopped = welcome.stop

    def window(self) -> bool:
        """Trains the next window, from the weights of now; whether there was one."""
        step = None if self._stopped else next(self._steps, None)
        if step is None:
            return False
        self._listener.before(step)
        trained = self._train(step)
        self._listener.after(step, trained)
        self._weights, self._told = trained.weights, (step, trained.metrics)
        self.trained += 1
        self.batches = step.batches
        return True

    def update(self, cpu: float = 0.0) -> Update:
        """What to send to the server of the window that was trained last.

        Args:
            cpu: processor seconds of this process since the one before; 0 where not measured.
        """
        step, metrics = self._told
        vector, buffer = self._side.send(Window(self._weights, self._start, step.batches))
        self._sent = self._weights
        # Until the answer says how much all have trained, at least this much is known.
        self._clock += step.rows
        return Update(
            partition=self._who.partition,
            attempt=self._who.attempt,
            epoch=step.epoch,
            sequence=step.sequence,
            rows=step.rows,
            metrics=metrics,
            vector=vector,
            wait=self.wait,
            cpu=cpu,
            buffer=buffer,
        )

    def adopt(self, answer: Answer, wait: float) -> None:
        """Goes on from the server's answer; a window that was trained meanwhile is kept.

        Args:
            answer: to what ``update`` returned last.
            wait: seconds that the worker stood still for it.
        """
        self._start = self._side.adopt(self._sent, answer.vector)
        if self._weights is self._sent:
            self._weights = self._start
        else:  # The equations are in ``distkeras.overlap``.
            self._weights = self._start + (self._weights - self._sent)
        self._clock, self.wait = answer.rows, wait
        self._stopped = answer.stop

    def end(self) -> None:
        """Tells that nothing is left to train, and the last answer adopted."""
        self._portions.close()
        self._listener.finished()

    def train(self, channel: Channel, overlap: bool = False) -> int:
        """Trains to the end, from where an earlier attempt left it.

        Args:
            channel: to the server; joined and left here.
            overlap: whether the next window is trained while one is exchanged.

        Returns:
            The windows that were trained here.

        Raises:
            TrainingError: as the channel says.
        """
        who = self._who
        welcome = channel.join(who.partition, who.attempt, len(self._rows))
        log.info("joined; window %d is the first to train", welcome.sequence)
        self.start(welcome)
        try:
            with exchanging(channel, overlap) as exchanges:
                while self.window():
                    exchanges.following(self)
                exchanges.last(self)
        finally:
            # Or the thread that reads ahead would go on for as long as somebody keeps the error.
            self._portions.close()
        self._listener.finished()
        channel.leave(who.partition, who.attempt, self.wait)
        return self.trained

    def _train(self, step: Step) -> Trained:
        weights, done = self._weights, 0
        metrics: list[Vector] = []
        for indices in step.portions:
            clock = (self._clock + done) // self._schedule.batch_size
            weights, told = self._replica.run(weights, next(self._portions), clock)
            metrics.append(told * np.float32(len(indices) / step.rows))
            done += len(indices)
        return Trained(weights, metrics[0] if len(metrics) == 1 else np.sum(metrics, axis=0))


def train(
    who: Assignment,
    rows: Rows,
    replica: WindowRunner,
    channel: Channel,
    rule: Rule,
    schedule: Schedule,
) -> int:
    """Trains a partition to its end: ``Worker.train``, for whom nobody needs to listen."""
    return Worker(who, rows, replica, rule, schedule).train(channel)


def report(channel: Channel, partition: int, error: Exception) -> None:
    """Tells the server why a worker ends; the exception itself goes on to Spark.

    Not to a server that has just let a deadline pass: that would take another one.
    """
    if isinstance(error, ExchangeTimeout) and not isinstance(error, RoundTimeout):
        return
    text = str(error).strip() or type(error).__name__
    details = "".join(traceback.format_exception(error))
    failure = Failure(partition, type(error).__name__, text.splitlines()[0], details)
    # A server that can no longer be reached learns of it from Spark.
    with suppress(DistkerasError, OSError):
        channel.fail(failure)
