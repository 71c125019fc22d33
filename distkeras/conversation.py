"""What a worker and the server say to each other, and what the server notes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from distkeras.codecs import RAW, Buffer, Codec
from distkeras.vectors import Vector

__all__ = ["Answer", "Failure", "Record", "Update", "Welcome"]


class Update(NamedTuple):
    """What a worker sends after a window.

    Attributes:
        partition: the worker.
        attempt: its try at the partition.
        epoch: from 0.
        sequence: the window's number in the partition, from 0, over all epochs.
        rows: rows in the window.
        metrics: float32, shape (m,), the loss first; means over the window's rows.
        vector: what the rule sends, shape (P,); where the run's codec is lossy, the q of
            ``codecs.sides``.
        wait: seconds that this worker stood still for its last exchange; 0 before the first.
            Without overlap that is as long as the exchange took.
        cpu: processor seconds that the worker's process has used since it sent the window before,
            or joined; 0 where nobody has measured them, as in a simulation.
        buffer: the vector as it travels; None for as it is.
    """

    partition: int
    attempt: int
    epoch: int
    sequence: int
    rows: int
    metrics: Vector
    vector: Vector
    wait: float
    cpu: float = 0.0
    buffer: Buffer | None = None

    @property
    def payload(self) -> Vector | Buffer:
        """The vector as it travels."""
        return self.vector if self.buffer is None else self.buffer


class Answer(NamedTuple):
    """What the server says to an update.

    Attributes:
        vector: the rule's answer, shape (P,); where the run's codec is lossy, the r of
            ``codecs.sides``.
        staleness: updates of others that the weights lacked from which the window was trained:
            those merged between this worker's last exchange and this one, and with overlap also
            those between the two before.
        rows: rows merged into the center so far, by all workers.
        stop: whether the worker is to train no further window.
        buffer: the vector as it travels; None for as it is.
    """

    vector: Vector
    staleness: int
    rows: int = 0
    stop: bool = False
    buffer: Buffer | None = None

    @property
    def payload(self) -> Vector | Buffer:
        """The vector as it travels."""
        return self.vector if self.buffer is None else self.buffer


class Welcome(NamedTuple):
    """Where a worker starts.

    Attributes:
        sequence: the first window to train.
        weights: to start from, shape (P,).
        rows: rows merged into the center so far, by all workers.
        stop: whether the worker is to train none.
        codec: of what the worker sends and is answered; the weights above come as they are.
    """

    sequence: int
    weights: Vector
    rows: int = 0
    stop: bool = False
    codec: Codec = RAW


class Failure(NamedTuple):
    """What a worker reported before it ended.

    Attributes:
        partition: the worker.
        error: the class name of what it raised.
        message: its first line.
        details: the traceback.
    """

    partition: int
    error: str
    message: str
    details: str


@dataclass
class Record:
    """One merged window, as the history keeps it. ``wait`` is known one exchange later."""

    worker: int
    epoch: int
    window: int
    samples: int
    metrics: tuple[float, ...]
    staleness: int
    exchange_wait: float
    timestamp: float
    cpu_seconds: float = 0.0

    @classmethod
    def of(cls, update: Update, staleness: int, now: float) -> Record:
        """Of a window that was just merged."""
        return cls(
            worker=update.partition,
            epoch=update.epoch,
            window=update.sequence,
            samples=update.rows,
            metrics=tuple(map(float, update.metrics)),
            staleness=staleness,
            exchange_wait=0.0,
            timestamp=now,
            cpu_seconds=update.cpu,
        )
