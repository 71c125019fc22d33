"""Connections that have not proved themselves yet: never more than a bound.

Who knows the run's token proves it within milliseconds, so a newcomer that is still one when many
others have come after it has come to stay. It gives way; a worker that was too slow comes again.
"""

from __future__ import annotations

import logging
import threading

from distkeras.logs import logger
from distkeras.transport.frames import Wire

__all__ = ["MOST", "Newcomers"]

log = logger(__name__)

#: Newcomers at the same time, beside one for each worker: all of them may come at once. Each
#: costs a file descriptor and a thread, and many systems allow a process 1,024 descriptors.
MOST = 128
#: Lines in the log about strangers; what comes after them is told on DEBUG, since anybody who
#: reaches the port can have as many as he likes.
LINES = 20


class Newcomers:
    """Those who are proving themselves; the oldest gives way to one too many.

    Args:
        workers: that are expected.
    """

    def __init__(self, workers: int) -> None:
        self._most = MOST + workers
        #: In the order in which they came.
        self._waiting: dict[Wire, None] = {}
        self._lock = threading.Lock()
        self._warned, self._told = False, 0

    def add(self, wire: Wire) -> None:
        """Takes a newcomer in; ends the oldest connection if there are too many."""
        with self._lock:
            self._waiting[wire] = None
            if len(self._waiting) <= self._most:
                return
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            # Under the lock: its own thread closes it only after ``remove``.
            oldest.abort()
        self._gives_way(oldest)

    def remove(self, wire: Wire) -> None:
        """It is none any longer: it has proved itself, or it is gone."""
        with self._lock:
            self._waiting.pop(wire, None)

    def turned_away(self, wire: Wire, problem: Exception) -> None:
        """Tells the log of one that has not proved itself."""
        # Who only hangs up may have been a worker that was ended.
        level = logging.INFO if isinstance(problem, ConnectionError) else logging.WARNING
        self._tell(level, f"closed the connection from {wire.peer}: {problem}")

    def _gives_way(self, oldest: Wire) -> None:
        """As a warning once."""
        level, self._warned = logging.INFO if self._warned else logging.WARNING, True
        self._tell(
            level,
            f"{self._most + 1} connections have not proved that they know the run's token; the "
            f"oldest, from {oldest.peer}, gives way",
        )

    def _tell(self, level: int, text: str) -> None:
        with self._lock:
            self._told += 1
            told = self._told
        last = "; further strangers are told of on DEBUG" if told == LINES else ""
        log.log(level if told <= LINES else logging.DEBUG, "%s%s", text, last)
