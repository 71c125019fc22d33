"""Signs of life of a worker, which computes for as long as it likes between two exchanges.

They have a connection of their own: nobody has to agree with the worker's thread about who may
send, and while the server keeps the worker waiting they arrive all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from distkeras.errors import DistkerasError
from distkeras.messages import Header, Kind
from distkeras.transport.frames import Deadline, Wire

__all__ = ["Heart"]

#: Seconds that the end of a worker waits for the thread, which may be about to connect.
END_TIMEOUT = 1.0


class Heart:
    """A thread that tells the server now and then that a worker lives.

    What goes wrong here is not told: the worker's own connection says it.

    Args:
        connect: (deadline) -> a connection to the server.
        sign: what is sent.
        every: seconds between two signs.
        timeout: seconds that one may take.
    """

    def __init__(
        self, connect: Callable[[Deadline], Wire], sign: Header, every: float, timeout: float
    ) -> None:
        self._connect = connect
        self._sign = sign
        self._every = every
        self._timeout = timeout
        self._wire: Wire | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="distkeras-heart", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and its connection."""
        self._ended.set()
        wire = self._wire
        if wire is not None:
            wire.abort()
        self._thread.join(END_TIMEOUT)

    def _beat(self) -> None:
        while not self._ended.wait(self._every):
            with suppress(DistkerasError, OSError):
                self._speak()
        self._drop()

    def _speak(self) -> None:
        deadline = Deadline(self._timeout)
        try:
            if self._wire is None:
                self._wire = self._connect(deadline)
            self._wire.deadline = deadline
            self._wire.send(self._sign)
            self._wire.expect(Kind.DONE)
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
