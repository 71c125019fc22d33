"""What a server knows, cut into what its shards know of it, and put together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from distkeras.members import Member, Snapshot
from distkeras.vectors import Vector

__all__ = ["joined", "part_of"]


class _Vectors(NamedTuple):
    """Another vector for each of a snapshot's; one for several that are the same."""

    of: Callable[[Vector], Vector]

    def member(self, known: Member) -> Member:
        """A worker, with the others."""
        answer = known.answer
        return replace(
            known,
            adopted=self.of(known.adopted),
            sent=None if known.sent is None else self.of(known.sent),
            answer=answer and answer._replace(vector=self.of(answer.vector)),
            memory=tuple(map(self.of, known.memory)),
        )

    def snapshot(self, snapshot: Snapshot) -> Snapshot:
        """All of it, with the others."""
        return snapshot._replace(
            center=self.of(snapshot.center),
            state=tuple(map(self.of, snapshot.state)),
            members={p: self.member(known) for p, known in snapshot.members.items()},
        )


def part_of(snapshot: Snapshot, place: slice) -> Snapshot:
    """What the server of one slice knows of it.

    Args:
        snapshot: of the whole center.
        place: the slice.
    """
    cut: dict[int, Vector] = {}
    vectors = _Vectors(lambda vector: cut.setdefault(id(vector), vector[place]))
    return vectors.snapshot(snapshot)


def joined(own: Snapshot, parts: Sequence[Snapshot]) -> Snapshot:
    """The snapshot that one server would have.

    Args:
        own: of the coordinator, without vectors.
        parts: of the shards, in their order, at the same moment. A worker that has not come to all
            of them has not merged anything, and is left out.
    """
    whole: dict[tuple[int, ...], Vector] = {}

    def together(vectors: Sequence[Vector]) -> Vector:
        key = tuple(map(id, vectors))
        if key not in whole:
            whole[key] = np.concatenate(vectors)
        return whole[key]

    there = {p: known for p, known in own.members.items() if all(p in one.members for one in parts)}
    return own._replace(
        center=together([one.center for one in parts]),
        state=tuple(map(together, zip(*(one.state for one in parts), strict=True))),
        members={
            p: _member(known, [one.members[p] for one in parts], together)
            for p, known in there.items()
        },
    )


def _member(
    own: Member, parts: Sequence[Member], together: Callable[[Sequence[Vector]], Vector]
) -> Member:
    """A worker, of whom the coordinator knows all but the vectors."""
    sent = [one.sent for one in parts if one.sent is not None]
    answers = [one.answer.vector for one in parts if one.answer is not None]
    return replace(
        own,
        adopted=together([one.adopted for one in parts]),
        sent=together(sent) if sent else None,
        answer=own.answer and own.answer._replace(vector=together(answers)),
        memory=tuple(map(together, zip(*(one.memory for one in parts), strict=True))),
    )
