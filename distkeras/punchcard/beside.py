"""What is at work beside the web server: a thread for as long as it is entered."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

__all__ = ["Beside"]

#: Seconds in which the thread may come to its end; the process does not wait longer for it.
ENDING = 10.0

T = TypeVar("T", bound="Beside")


class Beside(ABC):
    """Runs ``run`` in a thread, which is to end soon after ``over`` is set.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self.over = threading.Event()
        self._thread = threading.Thread(target=self.run, name=name, daemon=True)

    def __enter__(self: T) -> T:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self.wake()
        self._thread.join(ENDING)

    @abstractmethod
    def run(self) -> None:
        """What the thread does."""

    @abstractmethod
    def wake(self) -> None:
        """Ends a wait of the thread."""
