"""The log of a training: every line begins with the run, the worker and the attempt it is about.

``run=3f2a81c0 worker=3 attempt=17 joined: 7608 rows``. The same fields are attributes of the
record (``run``, ``worker``, ``partition``, ``attempt``), for a formatter of the user's own. A
worker's number is that of its partition of the rows; an attempt is a Spark task.

A training has a few lines, each of its workers and each checkpoint one or a few: none is written
for a window. The user configures Python's logging as ever, by the name ``distkeras``; only the
Python workers of Spark, which nobody configures, are told where to write.
"""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Adapter = logging.LoggerAdapter[logging.Logger]
    Handler = logging.StreamHandler[Any]
else:  # No brackets before Python 3.11.
    Adapter, Handler = logging.LoggerAdapter, logging.StreamHandler

__all__ = ["Log", "about", "log_to_stderr", "logger", "named", "new_run", "note"]

#: In the order in which a line has them.
FIELDS = ("run", "worker", "attempt")
#: As the lines of Spark's own log, among which a worker's stand.
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
TIME = "%y/%m/%d %H:%M:%S"

_about: ContextVar[Mapping[str, Any]] = ContextVar("distkeras_about", default=MappingProxyType({}))


class Log(Adapter):
    """Puts the fields before each message; made by ``logger``."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[str, MutableMapping[str, Any]]:
        """What ``logging`` asks for: the message and the record's further attributes."""
        known = {**_about.get(), **(self.extra or {})}
        words = [f"{name}={known[name]}" for name in FIELDS if known.get(name, "") != ""]
        fields = dict.fromkeys(FIELDS, "") | known
        extra = {**fields, "partition": fields["worker"], **(kwargs.get("extra") or {})}
        return " ".join([*words, str(msg)]), {**kwargs, "extra": extra}

    def of(self, **fields: Any) -> Log:
        """The same log, about a worker or an attempt."""
        return Log(self.logger, {**(self.extra or {}), **fields})


def logger(name: str) -> Log:
    """The log of a module; ``name`` is its ``__name__``."""
    return Log(logging.getLogger(name), {})


def named(error: BaseException) -> str:
    """Any exception in one line: its class, and the first line of what it says."""
    return ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])


def new_run() -> str:
    """A name for a run: eight hexadecimal digits."""
    return secrets.token_hex(4)


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """All that this thread logs within is about these."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def note(**fields: Any) -> None:
    """From now on, all that this thread logs is about these."""
    _about.set({**_about.get(), **fields})


def log_to_stderr() -> None:
    """Has this process write the log to its standard error; once, however often it is called.

    For a process that is the library's own: the Python worker of a Spark task.
    """
    library = logging.getLogger("distkeras")
    if any(isinstance(handler, _Stderr) for handler in library.handlers):
        return
    handler = _Stderr()
    handler.setFormatter(logging.Formatter(FORMAT, TIME))
    library.addHandler(handler)
    library.setLevel(logging.INFO)
    # A package that a worker imports may give the root a handler, for the same stream.
    library.propagate = False


class _Stderr(Handler):
    """Writes to what is the standard error at the time: Spark may put another one there."""

    def emit(self, record: logging.LogRecord) -> None:
        self.setStream(sys.stderr)
        super().emit(record)
