"""A linear model with plain SGD in NumPy: a worker whose right answer is known."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from distkeras.conversation import Update
from distkeras.rules import Rule
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.vectors import Vector
from distkeras.worker import Trained

#: Weights of the model: as many as a row has features.
WIDTH = 3
#: Partitions that a server of these tests knows, where its rule does not wait for all of them.
WORKERS = 16


class Table:
    """Rows in memory, as a worker reads them."""

    def __init__(self, rows: int, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.x = random.normal(size=(rows, WIDTH)).astype(np.float32)
        noise = random.normal(size=rows) * 0.1
        self.y = (self.x @ np.arange(1, WIDTH + 1) + noise).astype(np.float32)

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {"x": self.x[indices], "y": self.y[indices]}


@dataclass(frozen=True)
class LinearReplica:
    """Least squares; W <- W - rate * gradient of the mean over a mini-batch."""

    batch_size: int
    rate: float = 0.05

    def run(self, weights: Vector, rows: Mapping[str, np.ndarray], clock: int = 0) -> Trained:
        losses = []
        for first in range(0, len(rows["x"]), self.batch_size):
            x = rows["x"][first : first + self.batch_size]
            error = x @ weights - rows["y"][first : first + self.batch_size]
            losses.append(np.mean(error**2) * len(x))
            weights = weights - np.float32(self.rate) * (x.T @ error / np.float32(len(x)))
        return Trained(weights, np.array([sum(losses) / len(rows["x"])], np.float32))


def server_of(rule: Rule, metrics: tuple[str, ...] = ("loss",)) -> ParameterServer:
    """A server whose center is a model that nobody trained, for some workers.

    For one of a synchronous rule: its rounds would wait for the others.
    """
    workers = 1 if rule.synchronous else WORKERS
    return ParameterServer(np.zeros(WIDTH, np.float32), rule, metrics, workers)


def update(sequence: int, vector: object = (1, 2, 3), loss: float = 0.5, **fields: int) -> Update:
    """A window of 4 rows of worker 0, unless told otherwise."""
    values = {"partition": 0, "attempt": 0, "epoch": 0, "rows": 4, "wait": 0.25, **fields}
    return Update(
        sequence=sequence,
        metrics=np.float32([loss]),
        vector=np.asarray(vector, np.float32),
        **values,
    )


def trained_alone(rows: Table, schedule: Schedule, rate: float = 0.05) -> Vector:
    """Plain local training over the rows of the schedule, without windows or server."""
    weights = np.zeros(WIDTH, np.float32)
    replica = LinearReplica(schedule.batch_size, rate)
    for indices in (part for step in schedule.windows(0, len(rows)) for part in step.portions):
        for first in range(0, len(indices), schedule.batch_size):
            batch = indices[first : first + schedule.batch_size]
            weights = replica.run(weights, rows.take(batch)).weights
    return weights


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Runs ``work(0..count-1)`` at once; what one raises is raised here."""
    raised: list[BaseException] = []
    together = threading.Barrier(count)

    def guarded(number: int) -> None:
        together.wait()
        try:
            work(number)
        except BaseException as error:
            raised.append(error)
            raise

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []
