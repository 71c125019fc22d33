"""The parameter server: the center, and who has merged what. No sockets here.

Everything happens under one lock.

Exactly once: each partition's windows are numbered. The server merges the number that it expects
and no other; the one before is answered again from memory, because its answer may have been
lost; an attempt that a newer one has superseded is refused.

A synchronous rule merges in rounds: a round is whole when every worker has sent its window or has
left. Their mean is taken in the order of the workers, whatever the order of arrival.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from distkeras.attendance import Attendance
from distkeras.center import Center
from distkeras.conversation import Answer, Failure, Update, Welcome
from distkeras.errors import ProtocolError, RoundTimeout, TrainingError
from distkeras.limits import (
    MAX_FAILURES,
    check_joining,
    check_partition,
    check_shape,
    check_wait,
    check_window,
    diverged,
)
from distkeras.members import Member, Members, Snapshot
from distkeras.vectors import Vector, all_finite

__all__ = ["ParameterServer"]


@dataclass
class ParameterServer(Center):
    """The center and its keeper; these are its attributes beside those of the center.

    Attributes:
        timeout: seconds that a round may wait for its last worker.
        patience: seconds between two signs of life to a worker that waits for others.
        failures: what workers reported, in order; of each the last few.
        resumed: windows and rows that an earlier run has merged.
        attendance: tells the log who comes and goes.
    """

    timeout: float = 600.0
    patience: float = 2.0
    failures: list[Failure] = field(default_factory=list)
    resumed: tuple[int, int] = (0, 0)
    attendance: Attendance = field(default_factory=Attendance)
    _members: Members = field(default_factory=Members)
    _closed: bool = False
    #: The lock; notified when a round was merged, or will never be.
    _lock: threading.Condition = field(default_factory=threading.Condition)

    def join(self, partition: int, attempt: int, rows: int) -> Welcome:
        """Takes a worker in, or takes it in again where an earlier attempt ended.

        Args:
            partition: the worker.
            attempt: its try; a larger one supersedes a smaller one.
            rows: rows in the partition.

        Raises:
            Superseded: if a newer attempt has joined.
            DataError: if an earlier attempt found another number of rows.
            ProtocolError: if there is no such worker, or no such number of rows.
        """
        check_joining(partition, rows, self.workers)
        with self._lock:
            new = Member(attempt, rows, self.center, self.clock)
            known = self._members.admit(partition, new)
            weights, stop = self.weights_of(known), bool(self.stopped)
            welcome = Welcome(known.sequence, weights, self.rows_merged, stop, self.codec)
        self.attendance.joined(partition, attempt, welcome, rows, self.now())
        return welcome

    def exchange(self, update: Update, waiting: Callable[[], None] = lambda: None) -> Answer:
        """Merges a window, once; with a synchronous rule, when all workers have sent theirs.

        Args:
            update: the window.
            waiting: called now and then while others are waited for.

        Raises:
            RoundTimeout: if a round is not whole within ``timeout``.
            DistkerasError: as ``offer`` says.
        """
        deadline = time.monotonic() + self.timeout
        while (answer := self.offer(update, min(self.patience, self.timeout))) is None:
            if time.monotonic() >= deadline:
                raise RoundTimeout(self._late(update.partition))
            waiting()
        return answer

    def offer(self, update: Update, patience: float = 0.0) -> Answer | None:
        """Takes a window, and merges it as soon as the rule can; may be called again.

        Args:
            update: the window.
            patience: seconds to wait for the other workers of a round.

        Returns:
            None if the round is not whole yet; with an asynchronous rule it always is.

        Raises:
            Superseded: if a newer attempt has joined.
            ProtocolError: if the window is neither the next one nor the one before, its vector
                is not as long as the center, or it cannot have so many rows.
            TrainingDiverged: if the loss or the vector is not finite, or the center would not be
                with it. Other metrics may be NaN: some have no value on some rows.
            TrainingError: if the server was closed.
        """
        check_shape(update, self.center)
        finite = np.isfinite(update.metrics[0]) and all_finite(update.vector)
        with self._lock:
            answer = self._take(update, finite)
            if answer is None and patience:
                self._lock.wait(patience)
                answer = self._take(update, finite)
            reply = self._members.of(update.partition, update.attempt).reply
        if answer is None or reply is None:
            return answer
        return answer._replace(vector=reply.told.vector, buffer=reply.told.buffer)

    def stop(self, reason: str) -> None:
        """Asks every worker to train no further window; each hears it with its next answer.

        Args:
            reason: why, in a few words.
        """
        with self._lock:
            self.stopped = self.stopped or reason

    def close(self) -> None:
        """Ends every wait: workers that wait for others are refused."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()

    def leave(self, partition: int, attempt: int, wait: float) -> None:
        """Lets a worker go that has trained all its windows.

        Args:
            partition: the worker.
            attempt: its try.
            wait: seconds that it stood still for its last exchange.

        Raises:
            ProtocolError: if it has not joined, or that is no number of seconds.
        """
        check_wait(partition, wait)
        with self._lock:
            known = self._members.of(partition, attempt)
            known.left, windows = True, known.sequence
            known.note_wait(wait)
            self._end_round()
        self.attendance.left(partition, attempt, windows, self.now())

    def fail(self, failure: Failure) -> None:
        """Keeps what a worker reports before it ends with an exception.

        Raises:
            ProtocolError: if there is no such worker.
        """
        check_partition(failure.partition, self.workers)
        with self._lock:
            kept = [one for one in self.failures if one.partition == failure.partition]
            if len(kept) >= MAX_FAILURES:
                # A new list: the driver may be reading the old one.
                self.failures = [one for one in self.failures if one is not kept[0]]
            self.failures.append(failure)
        self.attendance.failed(failure)

    def expected(self, partition: int, attempt: int) -> int:
        """The number of the window that is the worker's next.

        Raises:
            DistkerasError: if the worker has not joined, or a newer attempt has.
        """
        with self._lock:
            return self._members.of(partition, attempt).sequence

    def center_now(self) -> tuple[Vector, int, float]:
        """The center, the rows that were merged into it, and the time, of one moment."""
        with self._lock:
            return self.center, self.rows_merged, self.now()

    def snapshot(self) -> Snapshot:
        """All that is needed to go on from here in another process.

        Vectors are never changed in place, so none is copied.
        """
        with self._lock:
            members, history = self._members.kept(), tuple(self.history)
            return Snapshot(self.center, self.state, self.clock, self.rows_merged, members, history)

    def restore(self, snapshot: Snapshot) -> None:
        """Goes on from where another process was; before any worker has joined."""
        with self._lock:
            self.center, self.state = snapshot.center, snapshot.state
            self.clock, self.rows_merged = snapshot.clock, snapshot.rows_merged
            self._members = Members(snapshot.members)
            self.history = list(snapshot.history)
            self.resumed = len(self.history), self.rows_merged

    def workers_weights(self) -> list[Vector]:
        """Each worker's weights after its last merged window, shape (P,), by partition."""
        with self._lock:
            return list(map(self.weights_of, self._members))

    @property
    def unfinished(self) -> list[int]:
        """The workers that have joined and not left."""
        with self._lock:
            return self._members.unfinished

    def _take(self, update: Update, finite: bool) -> Answer | None:
        known = self._members.of(update.partition, update.attempt)
        if update.sequence == known.sequence - 1 and known.answer is not None:
            return known.answer
        if update.sequence != known.sequence:
            raise ProtocolError(
                f"worker {update.partition} sent window {update.sequence}, "
                f"but {known.sequence} is next"
            )
        check_window(update, known.rows)
        if not finite:
            raise diverged(update)
        update = self.received(known, update)
        if not self.rule.synchronous:
            self.merge_one(known, update)
            return known.answer
        if self._closed:
            raise TrainingError(f"the run ended while worker {update.partition} waited")
        known.pending = update
        self._end_round()
        return known.answer if known.pending is None else None

    def _late(self, partition: int) -> str:
        with self._lock:
            others = ", ".join(map(str, self._members.awaited(self.workers)))
        return (
            f"worker {partition} waited {self.timeout:g} s for a window of the workers {others}; "
            f"{self.rule.name} needs all {self.workers} at the same time"
        )

    def _end_round(self) -> None:
        """Merges the round if it is whole."""
        waiting = self._members.waiting()
        if waiting and not self._members.awaited(self.workers):
            self.merge_round(waiting)
            self._lock.notify_all()
