"""Tells the log which workers come and go: a line for each."""

from __future__ import annotations

from distkeras.conversation import Failure, Welcome
from distkeras.logs import logger

__all__ = ["Attendance"]

log = logger(__name__)


class Attendance:
    """Who is there, and since when; every call is outside of the server's lock."""

    def __init__(self) -> None:
        self._since: dict[int, tuple[int, float]] = {}

    def joined(self, worker: int, attempt: int, welcome: Welcome, rows: int, now: float) -> None:
        """A worker has joined.

        Args:
            worker: its partition.
            attempt: its try.
            welcome: what it was told.
            rows: that it has.
            now: the server's time, in seconds.
        """
        before, _ = self._since.get(worker, (attempt, now))
        self._since[worker] = attempt, now
        text = f"joined: {rows} rows"
        if welcome.sequence:
            text = f"resumes at window {welcome.sequence}: {rows} rows"
        if before != attempt:
            text += f"; takes over from attempt {before}"
        log.of(worker=worker, attempt=attempt).info("%s", text)

    def left(self, worker: int, attempt: int, windows: int, now: float) -> None:
        """A worker has trained all its windows.

        Args:
            worker: its partition.
            attempt: its try.
            windows: of all its attempts.
            now: the server's time, in seconds.
        """
        _, since = self._since.pop(worker, (attempt, None))
        if since is not None:  # Otherwise it says so again, because the answer was lost.
            told = log.of(worker=worker, attempt=attempt)
            told.info("left after %d windows, %.1f s after it joined", windows, now - since)

    def failed(self, failure: Failure) -> None:
        """A worker has said why it ends."""
        told = log.of(worker=failure.partition)
        told.warning("failed: %s: %s", failure.error, failure.message)
