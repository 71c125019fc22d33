"""The parameter server: the center, its clock, and who has merged what. No sockets here.

Everything happens under one lock. A center is never changed in place: a merge makes a new one,
so a center that was handed out stays what it was, and answering needs no copy.

Exactly once: each partition's windows are numbered. The server merges the number that it expects
and no other; the one before is answered again from memory, because its answer may have been
lost; an attempt that a newer one has superseded is refused.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from distkeras.errors import DataError, ProtocolError, Superseded, TrainingDiverged
from distkeras.rules import Exchange, Rule
from distkeras.vectors import Vector

__all__ = ["Answer", "Failure", "ParameterServer", "Record", "Update", "Welcome"]


class Update(NamedTuple):
    """What a worker sends after a window.

    Attributes:
        partition: the worker.
        attempt: its try at the partition.
        epoch: from 0.
        sequence: the window's number in the partition, from 0, over all epochs.
        rows: rows in the window.
        metrics: float32, shape (m,), the loss first; means over the window's rows.
        vector: what the rule sends, shape (P,).
        wait: seconds that this worker's last exchange took; 0 before the first.
    """

    partition: int
    attempt: int
    epoch: int
    sequence: int
    rows: int
    metrics: Vector
    vector: Vector
    wait: float


class Answer(NamedTuple):
    """What the server says to an update: the rule's answer, shape (P,), and the staleness."""

    vector: Vector
    staleness: int


class Welcome(NamedTuple):
    """Where a worker starts: the first window to train, and its weights, shape (P,)."""

    sequence: int
    weights: Vector


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


@dataclass
class _Partition:
    """What the server remembers of one worker."""

    attempt: int
    rows: int
    adopted: Vector
    clock: int
    sequence: int = 0
    merged: int = 0
    sent: Vector | None = None
    answer: Answer | None = None
    record: Record | None = None
    left: bool = False


@dataclass
class ParameterServer:
    """The center and its keeper.

    Attributes:
        center: c, shape (P,), float32.
        rule: how updates are merged.
        metrics: the names of what an update reports, the loss first.
        clock: updates merged so far.
        history: one record for each merged window, in the order of merging.
        failures: what workers reported, in order.
    """

    center: Vector
    rule: Rule
    metrics: Sequence[str] = ("loss",)
    clock: int = 0
    history: list[Record] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    _partitions: dict[int, _Partition] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def join(self, partition: int, attempt: int, rows: int) -> Welcome:
        """Takes a worker in, or takes it in again where an earlier attempt ended.

        Args:
            partition: the worker.
            attempt: its try; a larger one supersedes a smaller one.
            rows: rows in the partition.

        Raises:
            Superseded: if a newer attempt has joined.
            DataError: if an earlier attempt found another number of rows.
        """
        with self._lock:
            known = self._partitions.get(partition)
            if known is None:
                known = _Partition(attempt, rows, self.center, self.clock)
                self._partitions[partition] = known
            self._refuse_older(known, partition, attempt)
            if known.rows != rows:
                raise DataError(
                    f"worker {partition} found {rows} rows on attempt {attempt}, but "
                    f"{known.rows} before: the DataFrame is not the same when it is read again"
                )
            known.attempt = attempt
            return Welcome(known.sequence, self._resume(known))

    def exchange(self, update: Update) -> Answer:
        """Merges a window, once.

        Raises:
            Superseded: if a newer attempt has joined.
            ProtocolError: if the window is neither the next one nor the one before, or its
                vector is not as long as the center.
            TrainingDiverged: if the loss or the vector is not finite.
        """
        if update.vector.shape != self.center.shape:
            raise ProtocolError(
                f"worker {update.partition} sent a vector of shape {update.vector.shape}, "
                f"but the center has {self.center.shape}: its model is not the server's"
            )
        finite = np.isfinite(update.metrics[0]) and bool(np.isfinite(update.vector).all())
        with self._lock:
            known = self._member(update.partition, update.attempt)
            if update.sequence == known.sequence - 1 and known.answer is not None:
                return known.answer
            if update.sequence != known.sequence:
                raise ProtocolError(
                    f"worker {update.partition} sent window {update.sequence}, "
                    f"but {known.sequence} is next"
                )
            if not finite:
                raise TrainingDiverged(_diverged(update))
            return self._merge(known, update)

    def leave(self, partition: int, attempt: int, wait: float) -> None:
        """Lets a worker go that has trained all its windows.

        Args:
            partition: the worker.
            attempt: its try.
            wait: seconds that its last exchange took.
        """
        with self._lock:
            known = self._member(partition, attempt)
            known.left = True
            _note_wait(known, wait)

    def fail(self, failure: Failure) -> None:
        """Keeps what a worker reports before it ends with an exception."""
        with self._lock:
            self.failures.append(failure)

    @property
    def rows_merged(self) -> int:
        """Rows in all merged windows; a row counts once for each epoch."""
        with self._lock:
            return sum(known.merged for known in self._partitions.values())

    @property
    def unfinished(self) -> list[int]:
        """The workers that have joined and not left."""
        with self._lock:
            return sorted(p for p, known in self._partitions.items() if not known.left)

    def _member(self, partition: int, attempt: int) -> _Partition:
        known = self._partitions.get(partition)
        if known is None:
            raise ProtocolError(f"worker {partition} spoke before it joined")
        self._refuse_older(known, partition, attempt)
        return known

    @staticmethod
    def _refuse_older(known: _Partition, partition: int, attempt: int) -> None:
        if attempt < known.attempt:
            raise Superseded(
                f"attempt {attempt} at worker {partition} was superseded by {known.attempt}"
            )

    def _resume(self, known: _Partition) -> Vector:
        """The weights that the last merged window left the worker with."""
        if known.sent is None or known.answer is None:
            known.adopted, known.clock = self.center, self.clock
            return self.center
        return self.rule.adopt(known.sent, known.answer.vector)

    def _merge(self, known: _Partition, update: Update) -> Answer:
        staleness = self.clock - known.clock
        exchange = Exchange(staleness, known.adopted)
        self.center, vector = self.rule.merge(self.center, update.vector, exchange)
        self.clock += 1
        known.adopted, known.clock = self.center, self.clock
        known.sequence += 1
        known.merged += update.rows
        known.sent, known.answer = update.vector, Answer(vector, staleness)
        _note_wait(known, update.wait)
        known.record = Record(
            worker=update.partition,
            epoch=update.epoch,
            window=update.sequence,
            samples=update.rows,
            metrics=tuple(map(float, update.metrics)),
            staleness=staleness,
            exchange_wait=0.0,
            timestamp=time.time(),
        )
        self.history.append(known.record)
        return known.answer


def _note_wait(known: _Partition, wait: float) -> None:
    # An attempt that has exchanged nothing yet knows nothing of its predecessor's last wait.
    if known.record is not None and wait:
        known.record.exchange_wait = wait


def _diverged(update: Update) -> str:
    place = f"at worker {update.partition}, epoch {update.epoch}, window {update.sequence}"
    loss = update.metrics[0]
    if not np.isfinite(loss):
        return f"the loss became {loss} {place}: lower the learning rate or check the data"
    return f"a weight became NaN or infinite {place}: lower the learning rate or check the data"
