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


@dataclass
class _Lease:
    """One attempt's hold on a partition.

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
        self._lock = threading.Condition()
        self._closed = False
        self._looked = time.monotonic()

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
                    held = self._held[partition] = _Lease(attempt, peer, time.monotonic())
                if attempt <= held.attempt:
                    break
                self._lock.wait(self._patience)
                if self._closed:
                    raise TrainingError(f"the run ended while worker {partition} waited")
            wait()
        self.heard(partition, attempt, connection)

    def heard(self, partition: int, attempt: int, connection: object) -> None:
        """Notes that an attempt lives; one that has no lease (any more) is passed over."""
        with self._lock:
            held = self._held.get(partition)
            if held is not None and held.attempt == attempt:
                held.heard = time.monotonic()
                held.connections.add(connection)

    def give_back(self, partition: int, attempt: int) -> None:
        """Notes that an attempt has trained all its windows."""
        with self._lock:
            held = self._held.get(partition)
            if held is not None and held.attempt == attempt:
                del self._held[partition]
                self._lock.notify_all()

    def lost(self, connection: object) -> None:
        """Notes that a connection has ended; with its last one an attempt has ended, too."""
        with self._lock:
            for held in self._held.values():
                held.connections.discard(connection)
            self._lock.notify_all()

    def check(self, seconds: float) -> None:
        """Refuses to wait any longer for a worker that has a connection and says nothing.

        Whose connections have ended is not waited for here: Spark knows that its process is gone.

        Args:
            seconds: that a worker may be silent.

        Raises:
            ExchangeTimeout: names the worker and where it is.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._looked > STOPPED:
                for held in self._held.values():
                    held.heard = now
            self._looked = now
            for partition, held in sorted(self._held.items()):
                if held.connections and now - held.heard > seconds:
                    raise ExchangeTimeout(
                        f"the parameter server heard nothing of worker {partition} at {held.peer} "
                        f"for {seconds:g} s (worker_timeout): its process hangs or is stopped, or "
                        "the network between them fails"
                    )

    def close(self) -> None:
        """Ends every wait."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()

    def _is_free(self, held: _Lease, connection: object) -> bool:
        others = held.connections - {connection}
        return not others or time.monotonic() - held.heard > self._seconds
