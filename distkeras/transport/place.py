"""Where a server listens, and the socket that does."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import NamedTuple

from distkeras.errors import EnvironmentProblem

__all__ = ["LOOPBACK", "Place", "listen"]

#: Connections that the kernel keeps until they are accepted. One too many is not heard, and tries
#: again after a second, or three: many workers may start at the same moment.
BACKLOG = 1024


class Place(NamedTuple):
    """Where a server listens, and how.

    Attributes:
        host: the address to bind, not a wildcard unless the caller wants one.
        port: 0 for any free one.
        retries: ports above it to try, one by one, where it is taken.
        tls: None for none.
    """

    host: str = "127.0.0.1"
    port: int = 0
    retries: int = 0
    tls: ssl.SSLContext | None = None


#: Any free port, that only this machine reaches.
LOOPBACK = Place()


def listen(place: Place) -> socket.socket:
    """A socket that listens there.

    Raises:
        EnvironmentProblem: if this machine cannot.
    """
    host, first = place.host, place.port
    port, last = first, min(first + place.retries, 2**16 - 1)
    while True:
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            return socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE and port < last:
                port += 1
                continue
            tried = f"{first}" if port == first else f"{first} to {port}"
            raise EnvironmentProblem(
                f"cannot listen for workers at {host}:{tried}: {problem.strerror or problem}"
            ) from None
