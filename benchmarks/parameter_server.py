"""How many exchanges a second does a parameter server make, beside a bare echo of the bytes?

Clients are processes that train nothing: each sends a vector and takes the answer, again and
again. Against the server (DOWNPOUR, in this process) stands an echo over TCP without frames,
checks or merging: a thread for each client receives as many bytes into one buffer and sends them
back. Beside the server alone stand those with shards, in processes of their own. CPU seconds are
those of all of the process, and of the shards', per exchange.

    python benchmarks/parameter_server.py
    python benchmarks/parameter_server.py --full
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import compared
import echo
import numpy as np
from compared import Run
from rich.table import Table

from distkeras.codecs import codec_of
from distkeras.conversation import Update
from distkeras.rules import downpour
from distkeras.server import ParameterServer
from distkeras.shards.channel import Line, ShardedChannel
from distkeras.shards.coordinator import Coordinator
from distkeras.shards.processes import Opening, ShardProcesses, started
from distkeras.transport.client import TcpChannel
from distkeras.transport.tcp import TcpServer

#: Seconds that all clients have to connect, and to end.
PATIENCE = 300.0
#: Vectors that are in memory for each client: sent, answered, received, kept, and the center that
#: it adopted.
VECTORS = 5

#: What is compared: how clients are answered, and by how many parameter servers.
KINDS = {
    "echoed": ("echoed", 1),
    "served": ("served", 1),
    "2 shards": ("served", 2),
    "4 shards": ("served", 4),
}

Address = tuple[str, int]
#: Makes one exchange, given how many were made before.
Exchange = Callable[[int], object]


class Client(NamedTuple):
    """What a client does: with whom, how many parameters, how long, packed by which codec."""

    address: Address
    token: bytes
    size: int
    seconds: float
    shards: tuple[Address, ...] = ()
    codec: str = "none"

    def channel(self) -> TcpChannel | ShardedChannel:
        """To the parameter server, or to several."""
        codec = codec_of(self.codec)
        if self.shards:
            line = Line(self.token, PATIENCE, codec=codec)
            return ShardedChannel(self.address, self.shards, self.size, line)
        return TcpChannel(self.address, self.token, self.size, PATIENCE, codec=codec)

    @contextmanager
    def served(self, number: int) -> Iterator[Exchange]:
        """Exchanges with the parameter server."""
        vector, loss = np.full(self.size, 1e-6, np.float32), np.zeros(1, np.float32)
        codec = codec_of(self.codec)

        def update(done: int) -> Update:
            packed = codec.pack(vector)
            buffer = packed.buffer if codec.lossy else None
            return Update(number, 0, 0, done, 1, loss, packed.vector, 0.0, buffer)

        with self.channel() as channel:
            channel.join(number, 0, 1)
            yield lambda done: channel.exchange(update(done))
            channel.leave(number, 0, 0.0)

    @contextmanager
    def echoed(self, number: int) -> Iterator[Exchange]:
        """Sends the same bytes and takes them back."""
        with echo.connected(self.address, PATIENCE) as wire:
            vector, answer = bytearray(4 * self.size), bytearray(4 * self.size)
            yield lambda done: echo.exchange(wire, vector, answer)


def work(client: Client, kind: str, number: int, together: Any, told: Any) -> None:
    """A client's process: connects, waits for the others, and exchanges until time is up."""
    with getattr(client, kind)(number) as exchange:
        exchange(0)
        together.wait(PATIENCE)
        done, began, spent = 0, time.perf_counter(), time.process_time()
        while (lasted := time.perf_counter() - began) < client.seconds or not done:
            done += 1
            exchange(done)
        lasted, spent = time.perf_counter() - began, time.process_time() - spent
    told.put((done, lasted, spent))


class Place(NamedTuple):
    """What clients connect to: one address, or with shards theirs too, and their processes."""

    address: Address
    shards: tuple[Address, ...] = ()
    pids: tuple[int, ...] = ()

    def spent(self) -> float:
        """CPU seconds of this process and of the shards."""
        ticks = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(size: int, clients: int, token: bytes, shards: int, codec: str) -> Iterator[Place]:
    """The parameter server; with shards, their coordinator and they."""
    center = ParameterServer(np.zeros(size, np.float32), downpour(), workers=clients)
    center.codec = codec_of(codec)
    if shards == 1:
        with TcpServer(center, token) as tcp:
            yield Place(tcp.address)
        return
    coordinator = Coordinator(center, shards, codec)
    with TcpServer(coordinator, token) as tcp:
        ports = started(coordinator, Opening("127.0.0.1", token, timeout=PATIENCE))
        running = coordinator.shards
        assert isinstance(running, ShardProcesses)
        try:
            addresses = tuple(("127.0.0.1", port) for port in ports)
            yield Place(tcp.address, addresses, tuple(running.pids))
        finally:
            coordinator.end()


@contextmanager
def echoed(size: int, clients: int) -> Iterator[Place]:
    """The echo."""
    with echo.server(size, clients) as address:
        yield Place(address)


def measured(
    kind: str, shards: int, size: int, clients: int, seconds: float, codec: str = "none"
) -> Run:
    """Exchanges of all clients at once; the rate, and CPU milliseconds of an exchange.

    Those of the driver are of this process alone: with shards, of their coordinator.
    """
    spawn, token = multiprocessing.get_context("spawn"), secrets.token_bytes(32)
    together, told = spawn.Barrier(clients + 1), spawn.Queue()
    serve: Callable[..., AbstractContextManager[Place]]
    serve = partial(served, token=token, shards=shards, codec=codec) if kind == "served" else echoed
    with serve(size, clients) as place:
        client = Client(place.address, token, size, seconds, place.shards, codec)
        processes = [
            spawn.Process(target=work, args=(client, kind, number, together, told), daemon=True)
            for number in range(clients)
        ]
        for process in processes:
            process.start()
        together.wait(PATIENCE)
        spent, own = place.spent(), time.process_time()
        found = [told.get(timeout=PATIENCE) for _ in processes]
        spent, own = place.spent() - spent, time.process_time() - own
        for process in processes:
            process.join(PATIENCE)
    exchanges = sum(done for done, _, _ in found)
    rate = sum(done / lasted for done, lasted, _ in found)
    return {
        "exchanges_per_second": rate,
        "gigabytes_per_second": rate * 8 * size / 1e9,
        "client_cpu_ms": 1000 * sum(cpu for _, _, cpu in found) / exchanges,
        "server_cpu_ms": 1000 * spent / exchanges,
        "driver_cpu_ms": 1000 * own / exchanges,
    }


def row(kind: str, runs: list[Run], share: str) -> list[str]:
    """A line of the table."""
    forms = {"exchanges_per_second": ".1f", "gigabytes_per_second": ".2f"}
    forms |= {"client_cpu_ms": ".2f", "server_cpu_ms": ".2f"}
    return [kind, *(f"{compared.median(runs, what):{form}}" for what, form in forms.items()), share]


def main() -> None:
    """Runs the benchmark."""
    parser = compared.options(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", help="parameters")
    parser.add_argument("--clients", type=int, nargs="+")
    parser.add_argument("--seconds", type=float, help="of each measurement")
    asked = parser.parse_args()
    sizes = asked.sizes or (
        [380_402, 5_000_000, 50_000_000] if asked.full else [380_402, 5_000_000]
    )
    several = asked.clients or ([1, 4, 24] if asked.full else [1, 4])
    seconds = asked.seconds or (10.0 if asked.full else 2.0)
    table = Table(
        "parameters", "clients", "", "exchanges/s", "GB/s", "CPU ms client", "CPU ms server"
    )
    table.add_column("share")
    figures = []
    for size in sizes:
        for clients in several:
            needed, there = 4 * size * clients * VECTORS, compared.memory()
            if needed > 0.8 * there:
                table.add_row(
                    f"{size:,}", str(clients), f"needs {needed / 2**30:.0f} GiB of memory"
                )
                continue
            kinds = {
                kind: partial(measured, *how, size, clients, seconds) for kind, how in KINDS.items()
            }
            runs = compared.in_turn(kinds, asked.rounds)
            shares = {
                kind: compared.ratio(ofone, runs["echoed"], "exchanges_per_second")
                for kind, ofone in runs.items()
            }
            for kind, ofone in runs.items():
                share = "" if kind == "echoed" else f"{shares[kind]:.0%}"
                table.add_row(f"{size:,}", str(clients), *row(kind, ofone, share))
            figures.append({"size": size, "clients": clients, "runs": runs, "shares": shares})
    compared.shown(table, "parameter_server", asked.full, {"cells": figures, "seconds": seconds})


if __name__ == "__main__":
    main()
