"""What may be told of a worker's windows as it trains them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from distkeras.schedule import Step
    from distkeras.worker import Trained

__all__ = ["Listener", "Nobody"]


class Listener(Protocol):
    """Is told of every window that this attempt at a partition trains, in their order."""

    def before(self, step: Step) -> None:
        """A window is about to be trained."""

    def after(self, step: Step, trained: Trained) -> None:
        """It was trained, and is not sent yet."""

    def finished(self) -> None:
        """There is nothing left to train."""


class Nobody:
    """Does not listen."""

    def before(self, step: Step) -> None:
        """See ``Listener``."""

    def after(self, step: Step, trained: Trained) -> None:
        """See ``Listener``."""

    def finished(self) -> None:
        """See ``Listener``."""
