"""Which rows a worker trains when: windows of mini-batches, the same for every attempt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Schedule", "Step"]


class Step(NamedTuple):
    """One window of a partition.

    Attributes:
        epoch: in which it ends, from 0.
        sequence: its number in the partition, from 0, over all epochs.
        portions: the rows, shape (k,) each: what a replica takes at once, none across two epochs.
        batches: mini-batches in all of them.
        batch: the last of them, by its number in the epoch, from 0.
    """

    epoch: int
    sequence: int
    portions: tuple[npt.NDArray[np.int64], ...]
    batches: int
    batch: int

    @property
    def rows(self) -> int:
        """Rows in the window."""
        return sum(map(len, self.portions))


@dataclass(frozen=True)
class Schedule:
    """Which rows are trained when; the same for every attempt at a partition.

    Windows go on across the ends of epochs, so that lambda is what it says also where a partition
    has fewer mini-batches than a window. Only the last window may be shorter, and only the last
    mini-batch of each epoch.

    Attributes:
        batch_size: rows in a mini-batch.
        window: mini-batches in a window, lambda; None for one epoch.
        epochs: passes over the partition.
        seed: of the shuffles.
        portion: mini-batches that a replica takes at once, where a window has more; None for all.
        prefetch: portions whose rows are assembled ahead, in a thread.
    """

    batch_size: int
    window: int | None
    epochs: int
    seed: int
    portion: int | None = None
    prefetch: int = 0

    def windows(self, partition: int, rows: int, start: int = 0) -> Iterator[Step]:
        """The windows of a partition from number ``start`` on; every row once an epoch.

        Args:
            partition: the worker; each shuffles differently.
            rows: rows in the partition.
            start: the first window that is wanted.
        """
        per_epoch = self.steps(rows)
        window = self.window or per_epoch
        orders = _Orders(self.seed, partition, rows)
        total = per_epoch * self.epochs
        for sequence, first in enumerate(range(start * window, total, window), start):
            last = min(first + window, total)
            portions = tuple(
                orders.rows(epoch)[begin * self.batch_size : end * self.batch_size]
                for epoch, begin, end in self._cuts(first, last, per_epoch)
            )
            epoch, batch = divmod(last - 1, per_epoch)
            yield Step(epoch, sequence, portions, last - first, batch)

    def steps(self, rows: int) -> int:
        """Mini-batches in so many rows; the last may be partial."""
        return -(-rows // self.batch_size)

    def _cuts(self, first: int, last: int, per_epoch: int) -> Iterator[tuple[int, int, int]]:
        """The mini-batches from ``first`` to ``last``, as (epoch, from, to) within the epoch."""
        while first < last:
            epoch, begin = divmod(first, per_epoch)
            end = min(per_epoch, begin + min(last - first, self.portion or last - first))
            yield epoch, begin, end
            first += end - begin


class _Orders:
    """The order of a partition's rows in an epoch; the latest is kept."""

    def __init__(self, seed: int, partition: int, rows: int) -> None:
        self._key = seed, partition
        self._rows = rows
        self._epoch = -1
        self._order = np.empty(0, np.int64)

    def rows(self, epoch: int) -> npt.NDArray[np.int64]:
        if epoch != self._epoch:
            random = np.random.default_rng([*self._key, epoch])
            self._epoch, self._order = epoch, random.permutation(self._rows)
        return self._order
