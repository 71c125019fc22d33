"""The parameter server: the center, its clock, and who has merged what. No sockets here.

Everything happens under one lock. A center is never changed in place: a merge makes a new one,
so a center that was handed out stays what it was, and answering needs no copy.

Exactly once: each partition's windows are numbered. The server merges the number that it expects
and no other; the one before is answered again from memory, because its answer may have been
lost; an attempt that a newer one has superseded is refused.

A synchronous rule merges in rounds: a round is whole when every worker has sent its window or has
left. Their mean is taken in the order of the workers, whatever the order of arrival.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from distkeras.attendance import Attendance
from distkeras.codecs import RAW, Codec
from distkeras.codecs.sides import Reply, arrived
from distkeras.conversation import Answer, Failure, Record, Update, Welcome
from distkeras.errors import ProtocolError, RoundTimeout, TrainingError
from distkeras.limits import (
    MAX_FAILURES,
    check_joining,
    check_merged,
    check_partition,
    check_shape,
    check_wait,
    check_window,
    diverged,
)
from distkeras.members import Member, Members, Snapshot
from distkeras.memory import Memory
from distkeras.rules import Exchange, Rule
from distkeras.vectors import Vector, all_finite

__all__ = ["ParameterServer"]


@dataclass
class ParameterServer:
    """The center and its keeper.

    Attributes:
        center: c, shape (P,), float32.
        rule: how updates are merged.
        metrics: the names of what an update reports, the loss first.
        workers: how many there are; partitions from there on are refused. A round of a
            synchronous rule waits for all of them.
        timeout: seconds that a round may wait for its last worker.
        patience: seconds between two signs of life to a worker that waits for others.
        codec: how vectors travel; what a lossy one changes is in ``codecs.sides``.
        overlap: whether the workers train a window before they hear of the last one's answer.
        now: the time in seconds since 1970, or since whatever a simulation begins with.
        clock: updates merged so far.
        rows_merged: rows in all merged windows; a row counts once for each epoch.
        state: what the rule keeps for the center.
        stopped: why no further window is wanted; empty while they are.
        history: one record for each merged window, in the order of merging.
        failures: what workers reported, in order; of each the last few.
        resumed: windows and rows that an earlier run has merged.
        attendance: tells the log who comes and goes.
        memory: of vectors that nobody holds any more, for the next ones.
    """

    center: Vector
    rule: Rule
    metrics: Sequence[str] = ("loss",)
    workers: int = 1
    timeout: float = 600.0
    patience: float = 2.0
    codec: Codec = RAW
    overlap: bool = False
    now: Callable[[], float] = time.time
    clock: int = 0
    rows_merged: int = 0
    state: tuple[Vector, ...] = ()
    stopped: str = ""
    history: list[Record] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    resumed: tuple[int, int] = (0, 0)
    attendance: Attendance = field(default_factory=Attendance)
    memory: Memory = field(default_factory=Memory)
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
            weights, stop = self._resume(known), bool(self.stopped)
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
            return list(map(self._resume, self._members))

    @property
    def unfinished(self) -> list[int]:
        """The workers that have joined and not left."""
        with self._lock:
            return self._members.unfinished

    def _resume(self, known: Member) -> Vector:
        """The weights that the last merged window left the worker with."""
        if known.reply is not None:
            return known.reply.told.weights
        if known.sent is None or known.answer is None:
            return known.adopted
        if self.codec.lossy:
            return known.sent  # As an earlier process knew it.
        return self.rule.adopt(known.sent, known.answer.vector)

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
        update = self._arrived(known, update)
        if not self.rule.synchronous:
            self._merge_one(known, update)
            return known.answer
        if self._closed:
            raise TrainingError(f"the run ended while worker {update.partition} waited")
        known.pending = update
        self._end_round()
        return known.answer if known.pending is None else None

    def _room(self) -> Vector:
        return self.memory.take(self.center.nbytes).view(np.float32)

    def _merge_one(self, known: Member, update: Update) -> None:
        late = self.clock - known.clock
        staleness = late + known.behind
        exchange = Exchange(
            *(staleness, known.adopted, 1, self.state, known.memory),
            room=self._room,
        )
        merged = self.rule.merge(self.center, update.vector, exchange)
        check_merged(merged.center, [update])
        self.center, self.state, known.memory = merged.center, merged.state, merged.memory
        self._note(known, update)
        self._answer(known, update, merged.answer, staleness)
        known.behind = late if self.overlap else 0

    def _arrived(self, known: Member, update: Update) -> Update:
        """With what the rule merges of it."""
        if not self.codec.lossy:
            return update
        vector = arrived(self.rule, self._resume(known), update.vector)
        if not all_finite(vector):
            raise diverged(update)
        return update._replace(vector=vector)

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
        if not waiting or self._members.awaited(self.workers):
            return
        updates = [known.pending for known in waiting if known.pending]
        total = reduce(np.add, [update.vector for update in updates])
        mean = total / np.float32(len(updates))
        exchange = Exchange(0, waiting[0].adopted, len(updates), self.state)
        merged = self.rule.merge(self.center, mean, exchange)
        check_merged(merged.center, updates)
        self.center, self.state = merged.center, merged.state
        for known, update in zip(waiting, updates, strict=True):
            self._note(known, update)
        for known, update in zip(waiting, updates, strict=True):
            known.pending = None
            self._answer(known, update, merged.answer, 0)
        self._lock.notify_all()

    def _answer(self, known: Member, update: Update, vector: Vector, staleness: int) -> None:
        """Keeps what a worker is told, in case that it has to be told again."""
        if self.codec.lossy:
            start = self._resume(known)
            known.reply = Reply(self.rule, self.codec, start, update.vector, vector)
        else:
            known.sent = update.vector
        known.adopted, known.clock = self.center, self.clock
        known.answer = Answer(vector, staleness, self.rows_merged, bool(self.stopped))
        known.note_wait(update.wait)
        known.record = Record.of(update, staleness, self.now())
        self.history.append(known.record)

    def _note(self, known: Member, update: Update) -> None:
        """Counts a window that was merged."""
        self.clock += 1
        known.sequence += 1
        self.rows_merged += update.rows
