"""How many exchanges a second does one parameter server make, beside a bare echo of the bytes?

Clients are processes that train nothing: each sends a vector and takes the answer, again and
again. Against the server (DOWNPOUR, in this process) stands an echo over TCP without frames,
checks or merging: a thread for each client receives as many bytes into one buffer and sends them
back. CPU seconds are those of all of the process, per exchange.

    python benchmarks/parameter_server.py
    python benchmarks/parameter_server.py --full
"""

from __future__ import annotations

import multiprocessing
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, NamedTuple

import compared
import echo
import numpy as np
from compared import Run
from rich.table import Table

from distkeras.conversation import Update
from distkeras.rules import downpour
from distkeras.server import ParameterServer
from distkeras.transport.client import TcpChannel
from distkeras.transport.tcp import TcpServer

#: Seconds that all clients have to connect, and to end.
PATIENCE = 300.0
#: Vectors that are in memory for each client: sent, answered, received, kept, and the center that
#: it adopted.
VECTORS = 5

Address = tuple[str, int]
#: Makes one exchange, given how many were made before.
Exchange = Callable[[int], object]


class Client(NamedTuple):
    """What a client does: with whom, how many parameters, how long."""

    address: Address
    token: bytes
    size: int
    seconds: float

    @contextmanager
    def served(self, number: int) -> Iterator[Exchange]:
        """Exchanges with the parameter server."""
        vector, loss = np.full(self.size, 1e-6, np.float32), np.zeros(1, np.float32)
        with TcpChannel(self.address, self.token, self.size, PATIENCE) as channel:
            channel.join(number, 0, 1)
            yield lambda done: channel.exchange(Update(number, 0, 0, done, 1, loss, vector, 0.0))
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


@contextmanager
def server(size: int, clients: int, token: bytes) -> Iterator[Address]:
    """The parameter server."""
    center = ParameterServer(np.zeros(size, np.float32), downpour(), workers=clients)
    with TcpServer(center, token) as tcp:
        yield tcp.address


def measured(kind: str, size: int, clients: int, seconds: float) -> Run:
    """Exchanges of all clients at once; the rate, and CPU milliseconds of an exchange."""
    spawn, token = multiprocessing.get_context("spawn"), secrets.token_bytes(32)
    together, told = spawn.Barrier(clients + 1), spawn.Queue()
    serve: Callable[..., AbstractContextManager[Address]]
    serve = partial(server, token=token) if kind == "served" else echo.server
    with serve(size, clients) as address:
        client = Client(address, token, size, seconds)
        processes = [
            spawn.Process(target=work, args=(client, kind, number, together, told), daemon=True)
            for number in range(clients)
        ]
        for process in processes:
            process.start()
        together.wait(PATIENCE)
        spent = time.process_time()
        found = [told.get(timeout=PATIENCE) for _ in processes]
        spent = time.process_time() - spent
        for process in processes:
            process.join(PATIENCE)
    exchanges = sum(done for done, _, _ in found)
    rate = sum(done / lasted for done, lasted, _ in found)
    return {
        "exchanges_per_second": rate,
        "gigabytes_per_second": rate * 8 * size / 1e9,
        "client_cpu_ms": 1000 * sum(cpu for _, _, cpu in found) / exchanges,
        "server_cpu_ms": 1000 * spent / exchanges,
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
                kind: partial(measured, kind, size, clients, seconds)
                for kind in ("echoed", "served")
            }
            runs = compared.in_turn(kinds, asked.rounds)
            share = compared.ratio(runs["served"], runs["echoed"], "exchanges_per_second")
            for kind, ofone in runs.items():
                place = f"{size:,}", str(clients)
                table.add_row(*place, *row(kind, ofone, f"{share:.0%}" * (kind == "served")))
            figures.append({"size": size, "clients": clients, "runs": runs, "share": share})
    compared.shown(table, "parameter_server", asked.full, {"cells": figures, "seconds": seconds})


if __name__ == "__main__":
    main()
