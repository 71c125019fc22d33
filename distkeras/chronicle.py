"""Tells the log when a training, and a worker on its side, begins and how it ends."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from distkeras.logs import about, logger, named
from distkeras.server import ParameterServer

__all__ = ["training", "working"]

log = logger(__name__)


@contextmanager
def training(run: str, what: str, server: ParameterServer) -> Iterator[None]:
    """A training happens within; all that is logged there is about this run.

    Args:
        run: its name.
        what: the training, in a few words.
        server: its center.
    """
    started = time.monotonic()
    windows, rows = server.resumed
    resumed = f"; {windows} windows of {rows} rows are merged already" if windows else ""
    with about(run=run):
        log.info("training begins: %s%s", what, resumed)
        try:
            yield
        except BaseException as error:
            log.info("training failed after %.1f s: %s", time.monotonic() - started, named(error))
            raise
        stopped = f"; stopped: {server.stopped}" if server.stopped else ""
        seconds = time.monotonic() - started
        log.info("training ended: %d rows merged, %.1f s%s", server.rows_merged, seconds, stopped)


@contextmanager
def working(run: str, worker: int, attempt: int) -> Iterator[None]:
    """A worker works within; all that is logged there is about it.

    Args:
        run: the training's name.
        worker: its partition.
        attempt: its try.
    """
    started = time.monotonic()
    with about(run=run, worker=worker, attempt=attempt):
        log.info("begins in process %d on %s", os.getpid(), socket.gethostname())
        try:
            yield
        except BaseException as error:
            # In full it is told by whoever runs this worker.
            log.info("failed after %.1f s: %s", time.monotonic() - started, named(error))
            raise
        log.info("ended after %.1f s", time.monotonic() - started)
