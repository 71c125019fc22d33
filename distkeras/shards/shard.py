"""One slice of the center, and the windows that it has and does not merge yet. No sockets here."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from distkeras.conversation import Answer, Update, Welcome
from distkeras.errors import ProtocolError
from distkeras.members import Snapshot
from distkeras.server import ParameterServer

__all__ = ["Shard"]


class Shard:
    """Merges what the coordinator has counted, and nothing else.

    Args:
        server: of the slice; whatever it counts, it counts for itself.

    Attributes:
        marked: all that it knew when the driver last asked for the center.
    """

    def __init__(self, server: ParameterServer) -> None:
        self.server = server
        self.marked: Snapshot = server.snapshot()
        #: Of each worker the window that it sent last.
        self._kept: dict[int, Update] = {}
        #: Held while several windows are merged that belong together.
        self._lock = threading.Lock()

    def join(self, partition: int, attempt: int, rows: int, sequence: int) -> Welcome:
        """Takes a worker in where the coordinator says that it begins.

        Args:
            partition: the worker.
            attempt: its try.
            rows: rows in the partition.
            sequence: the window that the coordinator expects next. An earlier attempt may have
                ended after that one's predecessor was counted and before it was merged here.

        Raises:
            DistkerasError: as ``ParameterServer.join`` says, or if it cannot begin there.
        """
        with self._lock:
            welcome = self.server.join(partition, attempt, rows)
            kept = self._kept.pop(partition, None)
            if kept is not None and kept.sequence == welcome.sequence == sequence - 1:
                self._kept[partition] = kept._replace(attempt=attempt)
                self._merge(self._kept[partition])
                welcome = self.server.join(partition, attempt, rows)
        if welcome.sequence != sequence:
            raise ProtocolError(
                f"worker {partition} begins with window {sequence}, but this shard of the center "
                f"expects {welcome.sequence}"
            )
        return welcome

    def keep(self, update: Update) -> None:
        """Takes a window, which is merged when the coordinator has counted it; may come again.

        Raises:
            DistkerasError: if it is not the worker's next, or not of its newest attempt.
        """
        with self._lock:
            expected = self.server.expected(update.partition, update.attempt)
            if update.sequence == expected:
                self._kept[update.partition] = update
            elif update.sequence != expected - 1:
                raise ProtocolError(
                    f"worker {update.partition} sent window {update.sequence}, but {expected} "
                    "is next"
                )

    def commit(self, partition: int, attempt: int, sequence: int) -> Answer:
        """The coordinator has counted a window: merges it, once, and answers; may come again.

        Raises:
            DistkerasError: if it was not kept, or as ``ParameterServer.offer`` says.
        """
        with self._lock:
            expected = self.server.expected(partition, attempt)
            kept = self._kept.get(partition)
            if kept is None or kept.sequence != sequence:
                raise ProtocolError(
                    f"worker {partition} asked for window {sequence} to be merged, which it has "
                    "not sent"
                )
            if self.server.rule.synchronous and sequence == expected:
                self._merge(kept)
        # Not under the lock: a worker's answer is packed here.
        return self._answered(kept)

    def mark(self, sequences: Mapping[int, int]) -> None:
        """Merges all that the coordinator has counted, and notes what is there then.

        Args:
            sequences: of each worker the window that the coordinator expects next; it counts none
                meanwhile.

        Raises:
            ProtocolError: if that cannot be reached.
        """
        with self._lock:
            for kept in sorted(self._kept.values()):
                at = self.server.expected(kept.partition, kept.attempt)
                if kept.sequence == at == sequences.get(kept.partition, 0) - 1:
                    self._merge(kept)
            marked = self.server.snapshot()
        for partition, known in marked.members.items():
            if known.sequence != sequences.get(partition, 0):
                raise ProtocolError(
                    f"the coordinator expects window {sequences.get(partition, 0)} of worker "
                    f"{partition}, but a shard of the center {known.sequence}"
                )
        self.marked = marked._replace(history=())

    def _merge(self, window: Update) -> None:
        """Merges a window; of a synchronous rule its whole round, which all have sent by then."""
        if self.server.rule.synchronous:
            for partition in sorted(self._kept):
                kept = self._kept[partition]
                if kept.sequence == self.server.expected(partition, kept.attempt):
                    self.server.offer(kept)
        self._answered(window)

    def _answered(self, window: Update) -> Answer:
        answer = self.server.offer(window)
        if answer is None:
            raise ProtocolError(
                f"window {window.sequence} of worker {window.partition} was counted, but this "
                "shard of the center lacks its round"
            )
        return answer
