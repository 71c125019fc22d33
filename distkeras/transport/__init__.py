"""How a worker reaches the server: a Channel, in this process or over TCP."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from distkeras.conversation import Answer, Failure, Update, Welcome

__all__ = ["Channel"]


class Channel(Protocol):
    """The four verbs of a worker; a channel is a context manager that closes itself."""

    def join(self, partition: int, attempt: int, rows: int) -> Welcome:
        """Announces the worker; see ``ParameterServer.join``."""

    def exchange(self, update: Update) -> Answer:
        """Sends a window; see ``ParameterServer.exchange``."""

    def leave(self, partition: int, attempt: int, wait: float) -> None:
        """Says that all windows are trained; see ``ParameterServer.leave``."""

    def fail(self, failure: Failure) -> None:
        """Says why the worker ends; see ``ParameterServer.fail``."""

    def abort(self) -> None:
        """Ends, from another thread, the call that is made now; it raises, as all later ones do."""

    def __enter__(self) -> Channel:
        """The channel, open."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the channel."""
