"""Keeps what is sent to Spark's JVM out of the log of py4j, which tells all of it on DEBUG."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

__all__ = ["unlogged"]

#: Those of py4j that tell what is sent.
LOGGERS = ("py4j.clientserver", "py4j.java_gateway")


@contextmanager
def unlogged() -> Iterator[None]:
    """Around what sends a secret: py4j logs nothing of this thread's."""
    thread = threading.get_ident()

    def of_another_thread(record: logging.LogRecord) -> bool:
        return record.thread != thread

    with ExitStack() as stack:
        for logger in map(logging.getLogger, LOGGERS):
            logger.addFilter(of_another_thread)
            stack.callback(logger.removeFilter, of_another_thread)
        yield
