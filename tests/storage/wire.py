"""A wire to a real server, which can be cut: what no server can be asked to do by itself."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType

__all__ = ["Wire"]

SECONDS = 120.0


class Wire:
    """Listens on a port of its own and hands everything on, both ways, but for what is asked.

    Args:
        host: of the real server.
        port: likewise.
        rewrite: what to replace in its answers; by something as long.

    Attributes:
        port: where to connect to.
        lose: an answer to a request that holds these bytes is thrown away, and the connection
            closed; once.
        cut: the connection is closed after so many bytes of answers; once.
        silent: nothing is handed on.
        stall: of every so many pieces, one waits for a second before it is handed on; 0: none.
        requests: the first bytes of what was asked, in order.
        stalls: how many pieces have waited.
    """

    def __init__(self, host: str, port: int, rewrite: Mapping[bytes, bytes] | None = None) -> None:
        self._target, self._rewrite = (host, port), dict(rewrite or {})
        self.lose: bytes | None = None
        self.cut: int | None = None
        self.silent = False
        self.stall = 0
        self._pieces = itertools.count(1)
        self.stalls = 0
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = [self._listener]

    def __enter__(self) -> Wire:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in self._open:
            _hang_up(one)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._open.append(near)
                if not self.silent:
                    threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        with suppress(OSError):
            far = socket.create_connection(self._target, SECONDS)
            self._open.append(far)
            lost = threading.Event()
            threading.Thread(target=self._ask, args=(near, far, lost), daemon=True).start()
            self._answer(near, far, lost)
        _hang_up(near)

    def _ask(self, near: socket.socket, far: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while piece := near.recv(1 << 16):
                self._wait()
                self.requests.append(piece[:500])
                if self.lose is not None and self.lose in piece:
                    self.lose = None
                    lost.set()
                far.sendall(piece)
        _hang_up(far)

    def _answer(self, near: socket.socket, far: socket.socket, lost: threading.Event) -> None:
        while piece := far.recv(1 << 16):
            self._wait()
            if lost.is_set():
                return
            for old, new in self._rewrite.items():
                piece = piece.replace(old, new)
            if self.cut is not None:
                self.cut -= len(piece)
                if self.cut <= 0:
                    self.cut = None
                    return
            near.sendall(piece)

    def _wait(self) -> None:
        if self.stall and next(self._pieces) % self.stall == 0:
            self.stalls += 1
            time.sleep(1.0)


def _hang_up(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
