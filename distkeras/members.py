"""Who has joined, what the server remembers of each, and of everything at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from distkeras.codecs.sides import Reply
from distkeras.conversation import Answer, Record, Update
from distkeras.errors import DataError, ProtocolError, Superseded
from distkeras.vectors import Vector

__all__ = ["Member", "Members", "Snapshot"]


@dataclass
class Member:
    """What the server remembers of one worker.

    Attributes:
        attempt: its newest try at the partition.
        rows: in the partition.
        adopted: the center after its last exchange, shape (P,).
        clock: the server's at that time.
        sequence: the window that is expected next.
        sent: the vector of the window before, shape (P,); None before the first. With a lossy
            codec, of a checkpoint alone: the weights that it left the worker with.
        answer: what the rule answered to it.
        reply: what the worker was told, with a lossy codec.
        record: of it in the history.
        memory: what the rule keeps for the worker.
        behind: updates of others merged between its last two exchanges, where it trains on before
            it hears of them (overlap); else 0.
        pending: a window that waits for the others of its round.
        left: whether it has trained all its windows.
    """

    attempt: int
    rows: int
    adopted: Vector
    clock: int
    sequence: int = 0
    sent: Vector | None = None
    answer: Answer | None = None
    record: Record | None = None
    memory: tuple[Vector, ...] = ()
    behind: int = 0
    pending: Update | None = None
    left: bool = False
    reply: Reply | None = None

    def kept(self) -> Member:
        """What another process can go on from, of this one without its attempts.

        No attempt outlives its process, and a window that was not merged is sent again.
        """
        sent = self.sent if self.reply is None else self.reply.told.weights
        return replace(
            self,
            attempt=-1,
            sent=sent,
            record=None,
            behind=0,
            pending=None,
            left=False,
            reply=None,
        )

    def note_wait(self, wait: float) -> None:
        """Puts into the record how long the last exchange took, in seconds; 0 says nothing."""
        # An attempt that has exchanged nothing yet knows nothing of its predecessor's last wait.
        if self.record is not None and wait:
            self.record.exchange_wait = wait


class Members:
    """All who have joined, by partition. Whoever asks holds the server's lock.

    Args:
        known: from a snapshot; copied.
    """

    def __init__(self, known: Mapping[int, Member] | None = None) -> None:
        self._known = {partition: replace(one) for partition, one in (known or {}).items()}

    def __iter__(self) -> Iterator[Member]:
        """Each of them, in the order of the partitions."""
        return (one for _, one in sorted(self._known.items()))

    def admit(self, partition: int, new: Member) -> Member:
        """Takes a worker in, or takes it in again where an earlier attempt ended.

        Args:
            partition: the worker.
            new: how it begins, where no attempt at the partition has joined before.

        Raises:
            Superseded: if a newer attempt has joined.
            DataError: if an earlier attempt found another number of rows.
        """
        known = self._known.setdefault(partition, new)
        _refuse_older(known, partition, new.attempt)
        if known.rows != new.rows:
            raise DataError(
                f"worker {partition} found {new.rows} rows on attempt {new.attempt}, but "
                f"{known.rows} before: the DataFrame is not the same when it is read again"
            )
        if new.attempt > known.attempt:
            known.pending = None  # It is told to send that window again, which may be another then.
            if known.answer is None:
                # Not for the same attempt, which may be told twice: both know where it starts.
                known.adopted, known.clock = new.adopted, new.clock
        # Whoever has left has trained all its windows: a copy of it may come, and be ended.
        known.attempt, known.behind = new.attempt, 0
        return known

    def of(self, partition: int, attempt: int) -> Member:
        """The worker, for an attempt that speaks for it.

        Raises:
            ProtocolError: if it has not joined.
            Superseded: if a newer attempt has joined.
        """
        known = self._known.get(partition)
        if known is None:
            raise ProtocolError(f"worker {partition} spoke before it joined")
        _refuse_older(known, partition, attempt)
        return known

    @property
    def sequences(self) -> dict[int, int]:
        """Of each worker the window that is expected next."""
        return {partition: known.sequence for partition, known in self._known.items()}

    def waiting(self) -> list[Member]:
        """Those whose windows wait for the others of their round, by partition."""
        return [known for known in self if known.pending]

    def awaited(self, workers: int) -> list[int]:
        """Of so many workers those whose windows the round lacks; also those that never joined."""
        there = {p for p, known in self._known.items() if known.left or known.pending}
        return sorted(set(range(workers)) - there)

    @property
    def unfinished(self) -> list[int]:
        """The workers that have joined and not left."""
        return sorted(p for p, known in self._known.items() if not known.left)

    def kept(self) -> dict[int, Member]:
        """What is needed of each to go on in another process."""
        return {partition: known.kept() for partition, known in self._known.items()}


class Snapshot(NamedTuple):
    """All that a server knows, at one moment between two merges.

    Attributes:
        center: c, shape (P,), float32.
        state: what the rule keeps for the center.
        clock: updates merged.
        rows_merged: rows in them.
        members: by partition; without what only the running attempts matter to.
        history: one record for each merged window.
    """

    center: Vector
    state: tuple[Vector, ...]
    clock: int
    rows_merged: int
    members: Mapping[int, Member]
    history: tuple[Record, ...] = ()


def _refuse_older(known: Member, partition: int, attempt: int) -> None:
    if attempt < known.attempt:
        raise Superseded(
            f"attempt {attempt} at worker {partition} was superseded by {known.attempt}"
        )
