"""A worker without a model on one host, for a server on another: tells of its windows.

Run by ``test_blackholes.py``: ``distant_worker.py ADDRESS PORT TIMEOUT``. It sends window after
window until its input ends, says "merged" after each, and at last how many they were or the error.
"""

from __future__ import annotations

import select
import sys

from distkeras.errors import ExchangeTimeout
from distkeras.transport.client import TcpChannel
from tests.linear import WIDTH, update
from tests.transport.peers import TOKEN


def main(host: str, port: int, timeout: float) -> None:
    """Works as worker 0."""
    windows = 0
    try:
        with TcpChannel((host, port), TOKEN, WIDTH, timeout) as channel:
            channel.join(0, 0, 8)
            while not select.select([sys.stdin], [], [], 0.1)[0]:
                channel.exchange(update(windows))
                windows += 1
                print("merged", flush=True)
            channel.leave(0, 0, 0.0)
        print(windows, flush=True)
    except ExchangeTimeout as problem:
        print(problem, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
