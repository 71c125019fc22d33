"""What TLS costs: exchanges between one worker's process and the server, on this machine.

The worker trains nothing: it sends a vector and takes the answer, again and again. A window of
training lies between two exchanges otherwise, so this is the most that TLS can cost.

    python benchmarks/tls.py
"""

from __future__ import annotations

import argparse
import multiprocessing
import secrets
import statistics
import time
from typing import Any

import numpy as np
import results_file
from rich.console import Console
from rich.table import Table

from distkeras.conversation import Update
from distkeras.engines.certificates import guard
from distkeras.rules import downpour
from distkeras.server import ParameterServer
from distkeras.transport.client import TcpChannel
from distkeras.transport.place import Place
from distkeras.transport.tcp import TcpServer
from distkeras.transport.tls import Trust

#: Parameters: of the MLP 30-600-600-2, and of a larger model.
SIZES = (380_402, 5_000_000)


def work(
    address: tuple[str, int], token: bytes, size: int, seconds: float, trust: Trust | None
) -> float:
    """Exchanges a second of one worker."""
    vector, loss = np.zeros(size, np.float32), np.zeros(1, np.float32)
    with TcpChannel(address, token, size, trust=trust) as channel:
        channel.join(0, 0, 1)
        done, began = 0, time.perf_counter()
        while (lasted := time.perf_counter() - began) < seconds:
            channel.exchange(Update(0, 0, 0, done, 1, loss, vector, 0.0))
            done += 1
        channel.leave(0, 0, 0.0)
    return done / lasted


def measured(size: int, seconds: float, tls: bool) -> float:
    """The same, in a process of its own."""
    server = ParameterServer(np.zeros(size, np.float32), downpour())
    token = secrets.token_bytes(32)
    context, trust, _ = guard() if tls else (None, None, None)
    with (
        TcpServer(server, token, Place(tls=context)) as tcp,
        multiprocessing.get_context("spawn").Pool(1) as pool,
    ):
        return pool.apply(work, (tcp.address, token, size, seconds, trust))


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each kind")
    arguments = parser.parse_args()
    table = Table("parameters", "exchanges/s", "with TLS", "ratio")
    figures: dict[str, Any] = {}
    for size in SIZES:
        plain, secure = [], []
        for _ in range(arguments.rounds):
            plain.append(measured(size, arguments.seconds, False))
            secure.append(measured(size, arguments.seconds, True))
        ratio = statistics.median(s / p for p, s in zip(plain, secure, strict=True))
        row = f"{statistics.median(plain):.0f}", f"{statistics.median(secure):.0f}", f"{ratio:.2f}"
        table.add_row(f"{size:,}", *row)
        figures[str(size)] = {"plain": plain, "tls": secure, "ratio": ratio}
    Console().print(table)
    results_file.write("tls", {"exchanges_per_second": figures})


if __name__ == "__main__":
    main()
