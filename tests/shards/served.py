"""A coordinator and its shards on ports, with workers that die where a test wants them to."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np

from distkeras.codecs import RAW, Codec, codec_of
from distkeras.members import Snapshot
from distkeras.rules import Rule
from distkeras.server import ParameterServer
from distkeras.shards.channel import Line, ShardedChannel
from distkeras.shards.coordinator import Coordinator
from distkeras.shards.port import ShardServer
from distkeras.shards.shard import Shard
from distkeras.transport.tcp import TcpServer
from distkeras.vectors import Vector
from tests.transport.peers import PATIENCE, TOKEN

Address = tuple[str, int]


class Threads:
    """Shards in this process, each served by threads; the same sockets and frames otherwise."""

    def __init__(self, coordinator: Coordinator, rule: Rule) -> None:
        plan = coordinator.plan
        self.slices = plan.cuts.slices
        self.shards = []
        for part in coordinator.parts():
            server = ParameterServer(
                part.center,
                rule,
                workers=plan.workers,
                codec=codec_of(plan.compression),
                overlap=plan.overlap,
            )
            server.restore(part)
            self.shards.append(Shard(server))

    def mark(self, sequences: Sequence[int]) -> None:
        for shard in self.shards:
            shard.mark(dict(enumerate(sequences)))

    def center(self) -> Vector:
        return np.concatenate([shard.marked.center for shard in self.shards])

    def states(self) -> list[Snapshot]:
        return [shard.marked for shard in self.shards]

    def check(self) -> None:
        """None has a process that could end."""

    def end(self) -> None:
        """Likewise."""


class Where(NamedTuple):
    """What a worker connects to."""

    coordinator: Address
    shards: list[Address]
    size: int
    codec: Codec = RAW

    def channel(self) -> ShardedChannel:
        line = Line(TOKEN, PATIENCE, codec=self.codec)
        return ShardedChannel(self.coordinator, self.shards, self.size, line)

    def mortal(self, calls: int) -> ShardedChannel:
        """One whose worker dies after so many calls of an exchange, to shards or coordinator."""
        channel, left, lock = self.channel(), [calls], threading.Lock()

        def lives(call: Any) -> Any:
            def called(*arguments: Any) -> Any:
                with lock:
                    left[0] -= 1
                    if left[0] < 0:
                        raise Killed
                return call(*arguments)

            return called

        for shard in channel._shards:
            shard.keep, shard.commit = lives(shard.keep), lives(shard.commit)  # type: ignore
        channel._coordinator.exchange = lives(channel._coordinator.exchange)  # type: ignore
        return channel


class Killed(Exception):
    """The worker is gone."""


@contextmanager
def served(
    whole: ParameterServer, count: int, compression: str | None = None
) -> Iterator[tuple[Coordinator, Where]]:
    """What one server would be, as a coordinator and so many shards."""
    coordinator = Coordinator(whole, count, compression)
    with running(coordinator, whole.rule) as where:
        yield coordinator, where


@contextmanager
def running(coordinator: Coordinator, rule: Rule) -> Iterator[Where]:
    """Its ports, and those of its shards."""
    threads = coordinator.shards = Threads(coordinator, rule)
    with ExitStack() as stack:
        tcp = stack.enter_context(TcpServer(coordinator, TOKEN))
        servers = [stack.enter_context(ShardServer(shard, TOKEN)) for shard in threads.shards]
        codec = codec_of(coordinator.plan.compression)
        addresses = [server.address for server in servers]
        yield Where(tcp.address, addresses, coordinator.plan.cuts.size, codec)
