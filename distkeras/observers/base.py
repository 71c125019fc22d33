"""What an observer is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from distkeras.observers.points import Point

__all__ = ["Beginning", "Observer"]


class Beginning(NamedTuple):
    """What an observer is told before the first window.

    Attributes:
        run: what the log calls this training.
        rows: rows that an earlier process has merged; 0 for a training that begins anew.
        metrics: the names of a window's metrics, the loss first.
    """

    run: str
    rows: int
    metrics: tuple[str, ...]


@runtime_checkable
class Observer(Protocol):
    """Is shown a training as it goes. Serves one training at a time."""

    @property
    def name(self) -> str:
        """What a line of the log calls it."""

    @property
    def finest(self) -> float:
        """Seconds of training that a point covers at least, where windows are shorter."""

    @property
    def patience(self) -> float:
        """Seconds that the end of a training may wait for it."""

    def open(self, beginning: Beginning) -> int:
        """Before the first window, in the driver's own thread: is not to wait for anybody.

        Returns:
            So many of ``beginning.rows`` it shows already, and needs no points of.

        Raises:
            DistkerasError: nothing could ever be shown; ends the training before it begins.
        """

    def take(self, points: Sequence[Point]) -> None:
        """New points, in the order of time for each run; in the observer's thread.

        Raises:
            DistkerasError: what it was given is lost; it is given no more.
        """

    def close(self, succeeded: bool) -> None:
        """The training has ended; in the observer's thread, also after ``take`` has raised.

        Raises:
            DistkerasError: not all that it was given is shown.
        """

    def abandon(self) -> None:
        """Nobody waits for it any more; from another thread."""
