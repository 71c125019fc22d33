"""The server that workers join where the center is cut: all that one server knows, but vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from distkeras.members import Snapshot
from distkeras.rules import Exchange, Merged, Rule
from distkeras.rules.base import adopt_answer, send_delta
from distkeras.server import ParameterServer
from distkeras.shards.cuts import Cuts
from distkeras.shards.described import described
from distkeras.shards.parts import joined, part_of
from distkeras.vectors import Vector

__all__ = ["NOTHING", "Coordinator", "Plan", "Shards"]

#: The coordinator's center, and the vector of what it is sent.
NOTHING: Vector = np.empty(0, np.float32)


@dataclass(frozen=True)
class Plan:
    """What the shards of a training are.

    Attributes:
        cuts: their slices.
        rule: by which they merge; see ``described``.
        compression: how vectors travel, as ``codecs.codec_of`` takes it.
        workers: how many there are.
        overlap: whether they train a window before they hear of the last one's answer.
    """

    cuts: Cuts
    rule: Mapping[str, Any]
    compression: str | None
    workers: int
    overlap: bool


class Shards(Protocol):
    """The shards while they run, as the coordinator sees them."""

    def mark(self, sequences: Sequence[int]) -> None:
        """Has each of them merge what was counted, and note its slice; see ``Shard.mark``."""

    def center(self) -> Vector:
        """The whole center that was noted last, shape (P,)."""

    def states(self) -> list[Snapshot]:
        """All that each of them noted last, in their order."""

    def check(self) -> None:
        """Raises ``TrainingError`` if one of them has ended."""

    def end(self) -> None:
        """Ends them."""


class Coordinator(ParameterServer):
    """A server without a vector, and the whole center where somebody asks for it.

    Args:
        whole: what one server would be; nobody has joined it.
        count: of shards.
        compression: how vectors travel, as ``codecs.codec_of`` takes it.

    Attributes:
        plan: for the shards.
        shards: while they run; None before and after.

    Raises:
        ConfigError: if there are more shards than weights, or another process could not import
            the rule.
    """

    def __init__(self, whole: ParameterServer, count: int, compression: str | None) -> None:
        super().__init__(
            NOTHING,
            _counting(whole.rule),
            whole.metrics,
            workers=whole.workers,
            timeout=whole.timeout,
            patience=whole.patience,
            overlap=whole.overlap,
            now=whole.now,
        )
        cuts = Cuts(len(whole.center), count)
        self.plan = Plan(cuts, described(whole.rule), compression, whole.workers, whole.overlap)
        self.shards: Shards | None = None
        self._start = whole.snapshot()
        #: The center at the time of some clock.
        self._gathered = self.clock, whole.center

    def parts(self) -> list[Snapshot]:
        """What each shard begins with, in their order."""
        start = self._start._replace(history=())
        return [part_of(start, place) for place in self.plan.cuts.slices]

    def check(self) -> None:
        """Raises ``TrainingError`` if a shard has ended."""
        if self.shards is not None:
            self.shards.check()

    def end(self) -> None:
        """Ends the shards; the center is then the one that was asked for last."""
        if self.shards is not None:
            self.shards.end()
            self.shards = None

    def center_now(self) -> tuple[Vector, int, float]:
        """See ``ParameterServer``; workers wait while the shards note it, not while it is read."""
        shards = self.shards
        with self._lock:
            clock, rows, now = self.clock, self.rows_merged, self.now()
            known = shards is None or self._gathered[0] == clock
            if shards is not None and not known:
                shards.mark(self._sequences())
        if shards is not None and not known:
            self._gathered = clock, shards.center()
        return self._gathered[1], rows, now

    def snapshot(self) -> Snapshot:
        """See ``ParameterServer``; likewise."""
        if self.shards is None:
            return self._start
        with self._lock:
            own = super().snapshot()
            self.shards.mark(self._sequences())
        return joined(own, self.shards.states())

    def restore(self, snapshot: Snapshot) -> None:
        """See ``ParameterServer``; before the shards begin."""
        super().restore(part_of(snapshot, slice(0)))
        self._start, self._gathered = snapshot, (snapshot.clock, snapshot.center)

    def _sequences(self) -> list[int]:
        known = self._members.sequences
        return [known.get(partition, 0) for partition in range(self.workers)]


def _counting(rule: Rule) -> Rule:
    """In the place of a rule, where there is no vector that could be merged."""
    return Rule(rule.name, send_delta, _count, adopt_answer, rule.synchronous)


def _count(center: Vector, sent: Vector, exchange: Exchange) -> Merged:
    return Merged(center, center)
