"""Ports for daemons that must keep theirs when they are killed and started again."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from pathlib import Path

__all__ = ["free_ports"]

LOWEST = 10_000


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports on which nobody listens, outside the range that the kernel gives out by itself.

    A port of that range (what port 0 gives) can become the source port of anybody's
    connection between its choice and its use, or while its daemon is down. Below the range
    only somebody who names the same port can take it, and the choice is random.
    """
    chosen: list[int] = []
    with ExitStack() as held:
        while len(chosen) < count:
            port = random.SystemRandom().randrange(LOWEST, kernel_range_start())
            taken = held.enter_context(socket.socket())
            try:
                taken.bind((host, port))
            except OSError:
                continue
            chosen.append(port)
    return chosen


def kernel_range_start() -> int:
    """The first port that the kernel gives out by itself; Linux's default where it is silent."""
    try:
        start = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        start = 32_768
    # A kernel that gives out nearly all ports leaves no better ones.
    return start if start > LOWEST + 1000 else 65_536
