"""What the server remembers of one worker, and of everything at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

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
        sent: the vector of the window before, shape (P,); None before the first.
        answer: what was answered to it.
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
