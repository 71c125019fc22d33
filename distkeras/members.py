"""What the server remembers of one worker, and of everything at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from distkeras.codecs.sides import Reply
from distkeras.conversation import Answer, Record, Update
from distkeras.vectors import Vector

__all__ = ["Member", "Snapshot"]


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
    pending: Update | None = None
    left: bool = False
    reply: Reply | None = None

    def kept(self) -> Member:
        """What another process can go on from, of this one without its attempts.

        No attempt outlives its process, and a window that was not merged is sent again.
        """
        sent = self.sent if self.reply is None else self.reply.told.weights
        return replace(
            self, attempt=-1, sent=sent, record=None, pending=None, left=False, reply=None
        )


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
