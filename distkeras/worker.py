"""The training loop of one worker. It knows neither Keras nor Spark nor sockets."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from distkeras.errors import DistkerasError, ExchangeTimeout
from distkeras.rules import Rule, Window
from distkeras.server import Failure, Update
from distkeras.transport import Channel
from distkeras.vectors import Vector

__all__ = ["Assignment", "Rows", "Schedule", "Step", "Trained", "WindowRunner", "report", "train"]


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

    def run(self, weights: Vector, rows: Mapping[str, npt.NDArray[np.generic]]) -> Trained:
        """Trains on these rows in order, from these weights."""


class Step(NamedTuple):
    """One window of a partition: its place in the schedule, and its rows."""

    epoch: int
    sequence: int
    indices: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Schedule:
    """Which rows are trained when; the same for every attempt at a partition.

    Attributes:
        batch_size: rows in a mini-batch.
        window: mini-batches in a window, lambda.
        epochs: passes over the partition.
        seed: of the shuffles.
    """

    batch_size: int
    window: int
    epochs: int
    seed: int

    def windows(self, partition: int, rows: int, start: int = 0) -> Iterator[Step]:
        """The windows of a partition from number ``start`` on; every row once an epoch.

        Args:
            partition: the worker; each shuffles differently.
            rows: rows in the partition.
            start: the first window that is wanted.
        """
        span = self.batch_size * self.window
        per_epoch = -(-rows // span)
        for epoch in range(start // per_epoch, self.epochs):
            order = np.random.default_rng([self.seed, partition, epoch]).permutation(rows)
            first = max(0, start - epoch * per_epoch)
            for number in range(first, per_epoch):
                indices = order[number * span : (number + 1) * span]
                yield Step(epoch, epoch * per_epoch + number, indices)

    def steps(self, rows: int) -> int:
        """Mini-batches in a window of so many rows; the last may be partial."""
        return -(-rows // self.batch_size)


@dataclass(frozen=True)
class Assignment:
    """Who a worker is: the partition, and which try at it this is."""

    partition: int
    attempt: int


def train(
    who: Assignment,
    rows: Rows,
    replica: WindowRunner,
    channel: Channel,
    rule: Rule,
    schedule: Schedule,
) -> int:
    """Trains a partition to its end, from where an earlier attempt left it.

    Args:
        who: the worker.
        rows: its data.
        replica: its model.
        channel: its way to the server; joined and left here.
        rule: the distributed optimizer.
        schedule: which rows when.

    Returns:
        The windows that this attempt trained.

    Raises:
        TrainingError: as the channel says.
    """
    welcome = channel.join(who.partition, who.attempt, len(rows))
    weights, wait, trained = welcome.weights, 0.0, 0
    for step in schedule.windows(who.partition, len(rows), welcome.sequence):
        after = replica.run(weights, rows.take(step.indices))
        window = Window(after.weights, weights, schedule.steps(len(step.indices)))
        update = Update(
            partition=who.partition,
            attempt=who.attempt,
            epoch=step.epoch,
            sequence=step.sequence,
            rows=len(step.indices),
            metrics=after.metrics,
            vector=rule.send(window),
            wait=wait,
        )
        asked = time.perf_counter()
        answer = channel.exchange(update)
        wait = time.perf_counter() - asked
        weights = rule.adopt(after.weights, answer.vector)
        trained += 1
    channel.leave(who.partition, who.attempt, wait)
    return trained


def report(channel: Channel, partition: int, error: Exception) -> None:
    """Tells the server why a worker ends; the exception itself goes on to Spark.

    Not to a server that has just let a deadline pass: that would take another one.
    """
    if isinstance(error, ExchangeTimeout):
        return
    text = str(error) or type(error).__name__
    details = "".join(traceback.format_exception(error))
    failure = Failure(partition, type(error).__name__, text.splitlines()[0], details)
    # A server that can no longer be reached learns of it from Spark.
    with suppress(DistkerasError, OSError):
        channel.fail(failure)
