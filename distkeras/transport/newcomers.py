"""Connections that have not proved themselves yet: never more than a bound.

Who knows the run's token proves it within milliseconds, so a newcomer that is still one when many
others have come after it has come to stay. It gives way; a worker that was too slow comes again.
"""

from __future__ import annotations

import logging
import threading

from distkeras.transport.frames import Wire

__all__ = ["MOST", "Newcomers"]

log = logging.getLogger(__name__)

#: Newcomers at the same time, beside one for each worker: all of them may come at once. Each
#: costs a file descriptor and a thread, and many systems allow a process 1,024 descriptors.
MOST = 128


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
        self._told = False

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
        self._tell(oldest)

    def remove(self, wire: Wire) -> None:
        """It is none any longer: it has proved itself, or it is gone."""
        with self._lock:
            self._waiting.pop(wire, None)

    def _tell(self, oldest: Wire) -> None:
        """Once as a warning: a flood of connections is not to become one of lines."""
        log.log(
            logging.INFO if self._told else logging.WARNING,
            "%d connections have not proved that they know the run's token; the oldest, "
            "from %s, gives way",
            self._most + 1,
            oldest.peer,
        )
        self._told = True
