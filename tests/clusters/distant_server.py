"""A parameter server on one host, for workers on another: prints its port, and what came of it.

Run by ``test_blackholes.py``: ``distant_server.py ADDRESS WORKER_TIMEOUT``.
"""

from __future__ import annotations

import json
import sys
import time

from distkeras.errors import ExchangeTimeout
from distkeras.rules import downpour
from distkeras.transport.place import Place
from distkeras.transport.tcp import TcpServer
from tests.linear import server_of
from tests.transport.peers import TOKEN


def main(address: str, seconds: float) -> None:
    """Serves until worker 0 has left, or was silent for too long."""
    server = server_of(downpour())
    error = ""
    with TcpServer(server, TOKEN, Place(address)) as tcp:
        print(tcp.address[1], flush=True)
        try:
            while server.clock == 0 or server.unfinished:
                tcp.leases.check(seconds)
                time.sleep(0.1)
        except ExchangeTimeout as problem:
            error = str(problem)
    print(json.dumps({"clock": server.clock, "rows": server.rows_merged, "error": error}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
