"""Who works at which partition, as far as the server has heard.

A worker keeps its partition while it is heard of. Spark may start a second attempt beside a
living one (``spark.speculation``): that one waits, since a worker that lags is not a dead worker,
and takes over when the first has lost its connections or was silent for too long.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from distkeras.errors import ExchangeTimeout, TrainingError

__all__ = ["Leases"]

#: Seconds between two looks after which the driver itself must have been stopped: whoever was
#: silent meanwhile may have spoken.
STOPPED = 5.0
#: Seconds of silence, at least, after which one that has not joined yet is missed: what it imports
#: may hold up all its threads.
STARTING = 60.0


@dataclass
class _Lease:
    """One attempt's hold on a partition, or its hope for one.

    Attributes:
        attempt: which one.
        peer: "host:port", where it is.
        heard: when it spoke last, in seconds of the monotonic clock.
        connections: those that it speaks on, each by whatever names it.
    """

    attempt: int
    peer: str
    heard: float
    connections: set[object] = field(default_factory=set)


class Leases:
    """The attempts that work now.

    Args:
        seconds: of silence after which another attempt may take over.
        patience: seconds between two signs of life to an attempt that waits.
    """

    def __init__(self, seconds: float, patience: float) -> None:
        self._seconds = seconds
        self._patience = patience
        self._held: dict[int, _Lease] = {}
        #: Of each partition the newest attempt that is connected without a lease: it has not joined
        #: yet, or has left and not ended.
        self._beside: dict[int, _Lease] = {}
        #: Of each partition the newest attempt that was ever announced.
        self._newest: dict[int, int] = {}
        self._lock = threading.Condition()
        self._closed = False
        self._looked = self._last = time.monotonic()

    def take(
        self, partition: int, attempt: int, peer: str, connection: object, wait: Callable[[], None]
    ) -> None:
        """Waits until no other attempt works at the partition, and gives it to this one.

        An older attempt than the one that has it goes through: the server refuses it.

        Args:
            partition: the worker.
            attempt: its try.
            peer: where it is.
            connection: that it speaks on.
            wait: called now and then while another attempt is waited for.

        Raises:
            TrainingError: if the run ended meanwhile.
        """
        while True:
            with self._lock:
                held = self._held.get(partition)
                if held is None or (attempt > held.attempt and self._is_free(held, connection)):
                    held = self._held[partition] = self._lease(partition, attempt, peer)
                    held.connections.add(connection)
                if attempt <= held.attempt:
                    break
                self._lock.wait(self._patience)
                if self._closed:
                    raise TrainingError(f"the run ended while worker {partition} waited")
            wait()
        self.heard(partition, attempt, connection)

    def announce(self, partition: int, attempt: int, peer: str, connection: object) -> None:
        """Notes an attempt that is about to join, or is about to end: ``check`` looks at it, too.

        Args:
            partition: one that there is.
            attempt: its try; of several the newest counts.
            peer: where it is.
            connection: that it speaks on.
        """
        with self._lock:
            self._newest[partition] = max(attempt, self._newest.get(partition, attempt))
            held, beside = self._held.get(partition), self._beside.get(partition)
            if (held is None or held.attempt < attempt) and (
                beside is None or beside.attempt < attempt
            ):
                self._beside[partition] = _Lease(attempt, peer, time.monotonic())
        self.heard(partition, attempt, connection)

    def has_come(self, partition: int, attempt: int) -> bool:
        """Whether the attempt, or one after it, was ever announced."""
        with self._lock:
            return self._newest.get(partition, -1) >= attempt

    def heard(self, partition: int, attempt: int, connection: object) -> None:
        """Notes that an attempt lives; one that nothing is known of is passed over."""
        with self._lock:
            for known in (self._held.get(partition), self._beside.get(partition)):
                if known is not None and known.attempt == attempt:
                    known.heard = time.monotonic()
                    known.connections.add(connection)

    def give_back(self, partition: int, attempt: int) -> None:
        """Notes that an attempt has trained all its windows."""
        with self._lock:
            held = self._held.get(partition)
            if held is not None and held.attempt == attempt:
                # Its process has still to end, or somebody would wait for that.
                self._beside[partition] = self._held.pop(partition)
                self._lock.notify_all()

    def lost(self, connection: object) -> None:
        """Notes that a connection has ended; with its last one an attempt has ended, too."""
        with self._lock:
            for known in self._all():
                known.connections.discard(connection)
            self._last = time.monotonic()
            self._beside = {p: one for p, one in self._beside.items() if one.connections}
            self._lock.notify_all()

    def check(self, seconds: float) -> None:
        """Refuses to wait any longer for a worker that has a connection and says nothing.

        Whose connections have ended is not waited for here: Spark knows that its process is gone.

        Args:
            seconds: that a worker may be silent; where it has not joined yet at least ``STARTING``.

        Raises:
            ExchangeTimeout: names the worker and where it is.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._looked > STOPPED:
                for known in self._all():
                    known.heard = now
            self._looked = now
            working = {p: held for p, held in self._held.items() if held.connections}
            for partition, known in sorted((self._beside | working).items()):
                most = seconds if partition in working else max(seconds, STARTING)
                if known.connections and now - known.heard > most:
                    raise ExchangeTimeout(
                        f"the parameter server heard nothing of worker {partition} at {known.peer} "
                        f"for {most:g} s (worker_timeout): its process hangs or is stopped, or "
                        "the network between them fails"
                    )

    def idle(self) -> float:
        """Seconds since the last worker has gone, or the run began; 0 while one is connected."""
        with self._lock:
            there = any(known.connections for known in self._all())
            return 0.0 if there else time.monotonic() - self._last

    def close(self) -> None:
        """Ends every wait."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()

    def _all(self) -> list[_Lease]:
        return [*self._held.values(), *self._beside.values()]

    def _lease(self, partition: int, attempt: int, peer: str) -> _Lease:
        """A new one, with the connections on which the attempt was heard of before."""
        beside = self._beside.get(partition)
        if beside is not None and beside.attempt == attempt:
            return self._beside.pop(partition)
        return _Lease(attempt, peer, time.monotonic())

    def _is_free(self, held: _Lease, connection: object) -> bool:
        others = held.connections - {connection}
        return not others or time.monotonic() - held.heard > self._seconds
