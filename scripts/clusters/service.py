"""What is started when it is entered, and stopped when it is left, however that ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

from scripts.clusters.hadoop import READY_SECONDS

__all__ = ["Service"]

Own = TypeVar("Own", bound="Service")


class Service(ABC):
    """Daemons that belong together; a context manager."""

    @abstractmethod
    def start(self, seconds: float = READY_SECONDS) -> None:
        """Start what does not run, and wait so many seconds until it serves."""

    @abstractmethod
    def stop(self) -> None:
        """End all of it."""

    def __enter__(self: Own) -> Own:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
