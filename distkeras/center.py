"""The center: its clock, what a merge makes of it, and what was merged.

A center is never changed in place: a merge makes a new one, so a center that was handed out stays
what it was, and answering needs no copy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from distkeras.codecs import RAW, Codec
from distkeras.codecs.sides import Reply, arrived
from distkeras.conversation import Answer, Record, Update
from distkeras.limits import check_merged, diverged
from distkeras.members import Member
from distkeras.memory import Memory
from distkeras.rules import Exchange, Rule
from distkeras.vectors import Vector, all_finite

__all__ = ["Center"]


@dataclass
class Center:
    """The center, without anybody who asks for it: one call at a time.

    Attributes:
        center: c, shape (P,), float32.
        rule: how updates are merged.
        metrics: the names of what an update reports, the loss first.
        workers: how many there are; partitions from there on are refused. A round of a
            synchronous rule waits for all of them.
        codec: how vectors travel; what a lossy one changes is in ``codecs.sides``.
        overlap: whether the workers train a window before they hear of the last one's answer.
        now: the time in seconds since 1970, or since whatever a simulation begins with.
        clock: updates merged so far.
        rows_merged: rows in all merged windows; a row counts once for each epoch.
        state: what the rule keeps for the center.
        stopped: why no further window is wanted; empty while they are.
        history: one record for each merged window, in the order of merging.
        memory: of vectors that nobody holds any more, for the next ones.
    """

    center: Vector
    rule: Rule
    metrics: Sequence[str] = ("loss",)
    workers: int = 1
    codec: Codec = RAW
    overlap: bool = False
    now: Callable[[], float] = time.time
    clock: int = 0
    rows_merged: int = 0
    state: tuple[Vector, ...] = ()
    stopped: str = ""
    history: list[Record] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)

    def weights_of(self, known: Member) -> Vector:
        """The weights that the last merged window left the worker with."""
        if known.reply is not None:
            return known.reply.told.weights
        if known.sent is None or known.answer is None:
            return known.adopted
        if self.codec.lossy:
            return known.sent  # As an earlier process knew it.
        return self.rule.adopt(known.sent, known.answer.vector)

    def received(self, known: Member, update: Update) -> Update:
        """With what the rule merges of it."""
        if not self.codec.lossy:
            return update
        vector = arrived(self.rule, self.weights_of(known), update.vector)
        if not all_finite(vector):
            raise diverged(update)
        return update._replace(vector=vector)

    def merge_one(self, known: Member, update: Update) -> None:
        """Merges a window of one worker, and keeps what the worker is answered."""
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

    def merge_round(self, waiting: Sequence[Member]) -> None:
        """Merges the mean of a round's windows, in the order of the workers."""
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

    def _room(self) -> Vector:
        return self.memory.take(self.center.nbytes).view(np.float32)

    def _answer(self, known: Member, update: Update, vector: Vector, staleness: int) -> None:
        """Keeps what a worker is told, in case that it has to be told again."""
        if self.codec.lossy:
            start = self.weights_of(known)
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
