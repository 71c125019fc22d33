"""One replica for many virtual workers, each with a state of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from distkeras.vectors import Vector
from distkeras.worker import Trained

if TYPE_CHECKING:
    from distkeras.replica import Replica

__all__ = ["SharedReplica"]


class SharedReplica:
    """Trains now for one worker, then for another.

    Args:
        replica: the model that is compiled once.
        seed: of everything random; worker i begins with seed + i.
    """

    def __init__(self, replica: Replica, seed: int) -> None:
        self._replica = replica
        self._seed = seed
        self._user: _Share | None = None

    def of(self, worker: int, attempt: int = 0) -> _Share:
        """The replica as one worker sees it; a new attempt begins anew.

        Args:
            worker: from 0.
            attempt: its try; the engine asks once for each.
        """
        return _Share(self, (self._seed + worker) % 2**32)

    def for_user(self, user: _Share) -> Replica:
        """The replica, in the state in which this worker left it."""
        if self._user is not user:
            if self._user is not None:
                self._user.state = self._replica.snapshot()
            if user.state is None:
                self._replica.reset(user.seed)
            else:
                self._replica.restore(user.state)
                user.state = None
            self._user = user
        return self._replica


class _Share:
    """What one worker knows of a shared replica."""

    def __init__(self, shared: SharedReplica, seed: int) -> None:
        self._shared = shared
        self.seed = seed
        self.state: tuple[npt.NDArray[Any], ...] | None = None

    def run(self, weights: Vector, rows: Mapping[str, npt.NDArray[Any]], clock: int = 0) -> Trained:
        """See ``Replica.run``."""
        return self._shared.for_user(self).run(weights, rows, clock)
