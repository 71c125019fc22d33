"""A worker's channel where the center is cut: one connection to the coordinator and each shard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from distkeras.codecs import RAW, Codec
from distkeras.conversation import Answer, Failure, Update, Welcome
from distkeras.messages import Header, Kind
from distkeras.shards.coordinator import NOTHING
from distkeras.shards.cuts import Cuts
from distkeras.transport.client import TcpChannel
from distkeras.transport.tls import Trust
from distkeras.vectors import Vector

__all__ = ["Line", "ShardChannel", "ShardedChannel"]


@dataclass(frozen=True)
class Line:
    """How a worker reaches coordinator and shards.

    Attributes:
        token: the run's secret.
        timeout: seconds that one call to one of them may take; an exchange is three.
        trust: the certificate that all of them must have; None does without TLS.
        codec: of the run.
    """

    token: bytes
    timeout: float = 60.0
    trust: Trust | None = None
    codec: Codec = RAW


class ShardChannel(TcpChannel):
    """A worker's channel to one shard.

    Args:
        number: of the shard, from 0.
        address: (host, port) of it.
        size: elements of its slice.
        line: how it is reached.
    """

    def __init__(self, number: int, address: tuple[str, int], size: int, line: Line) -> None:
        super().__init__(address, line.token, size, line.timeout, line.trust, line.codec)
        self.peer = f"parameter server {number} at {address[0]}:{address[1]}"

    def enter(self, partition: int, attempt: int, rows: int, sequence: int) -> Vector:
        """The slice of the weights to start from; see ``Shard.join``."""
        request = Header(Kind.JOIN, partition, attempt, rows=rows, sequence=sequence)
        return self._vector(*self._call(Kind.WELCOME, request), RAW)

    def keep(self, update: Update) -> None:
        """See ``Shard.keep``."""
        self._send(Kind.DONE, update)

    def commit(self, update: Update) -> Vector:
        """See ``Shard.commit``."""
        request = Header(Kind.COMMIT, update.partition, update.attempt, sequence=update.sequence)
        return self._vector(*self._call(Kind.ANSWER, request), self._codec.answers)


class ShardedChannel:
    """A worker's channel to a coordinator and its shards; a context manager.

    Args:
        coordinator: (host, port) of it.
        shards: (host, port) of each, in their order.
        size: P, elements of the whole vector.
        line: how they are reached.

    Every verb raises what ``TcpChannel``'s do.
    """

    def __init__(
        self,
        coordinator: tuple[str, int],
        shards: Sequence[tuple[str, int]],
        size: int,
        line: Line,
    ) -> None:
        self._cuts = Cuts(size, len(shards))
        self._codec = line.codec
        self._coordinator = TcpChannel(coordinator, line.token, 0, line.timeout, line.trust)
        each = enumerate(zip(shards, self._cuts.sizes, strict=True))
        self._shards = [ShardChannel(number, *one, line) for number, one in each]
        self._pool = ThreadPoolExecutor(len(shards), "distkeras-shard")

    def __enter__(self) -> ShardedChannel:
        """The channel; it connects at the first call."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the connections; a call that is made still ends with them, or by its deadline."""
        for shard in self._shards:
            shard.abort()
        self._pool.shutdown(cancel_futures=True)
        for channel in (*self._shards, self._coordinator):
            channel.__exit__(kind, error, trace)

    def announce(self, partition: int, attempt: int, silence: float = 600.0) -> None:
        """See ``TcpChannel``; to the coordinator, who alone asks who lives."""
        self._coordinator.announce(partition, attempt, silence)

    def join(self, partition: int, attempt: int, rows: int) -> Welcome:
        """See ``ParameterServer.join``."""
        welcome = self._coordinator.join(partition, attempt, rows)
        who = partition, attempt, rows, welcome.sequence
        weights = self._gathered(lambda number: self._shards[number].enter(*who))
        return welcome._replace(weights=weights, codec=self._cuts.codec(self._codec))

    def exchange(self, update: Update) -> Answer:
        """See ``ParameterServer.exchange``; the three steps are those of ``distkeras.shards``."""
        parts = self._parts(update)
        self._each(lambda number: self._shards[number].keep(parts[number]))
        answer = self._coordinator.exchange(update._replace(vector=NOTHING, buffer=None))
        vector = self._gathered(lambda number: self._shards[number].commit(update))
        return answer._replace(vector=vector)

    def leave(self, partition: int, attempt: int, wait: float) -> None:
        """See ``ParameterServer.leave``."""
        # The coordinator last: a round that it ends without this worker ends so in each shard.
        self._each(lambda number: self._shards[number].leave(partition, attempt, wait))
        self._coordinator.leave(partition, attempt, wait)

    def fail(self, failure: Failure) -> None:
        """See ``ParameterServer.fail``."""
        self._coordinator.fail(failure)

    def abort(self) -> None:
        """See ``Channel``."""
        for channel in (*self._shards, self._coordinator):
            channel.abort()

    def _parts(self, update: Update) -> list[Update]:
        """What each shard is sent: its slice, and of the metrics the loss alone."""
        part = update._replace(metrics=update.metrics[:1], buffer=None)
        parts = [part._replace(vector=update.vector[place]) for place in self._cuts.slices]
        if update.buffer is None:
            return parts
        buffers = self._cuts.buffers(self._codec, update.buffer)
        return [one._replace(buffer=buffer) for one, buffer in zip(parts, buffers, strict=True)]

    def _gathered(self, ask: Callable[[int], Vector]) -> Vector:
        """The whole vector, of which each shard answers its slice."""
        whole = np.empty(self._cuts.size, np.float32)

        def put(number: int) -> None:
            whole[self._cuts.slices[number]] = ask(number)

        self._each(put)
        return whole

    def _each(self, call: Callable[[int], Any]) -> None:
        """Calls with the number of each shard, at the same time; raises what the first raises."""
        # What the threads log is about this worker, too.
        calls = [
            self._pool.submit(copy_context().run, call, number)
            for number in range(len(self._shards))
        ]
        for one in calls:
            one.result()
