"""Shows a training to its observers, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from math import inf

from distkeras.errors import DistkerasError
from distkeras.history import History
from distkeras.logs import logger
from distkeras.monitor import Monitor
from distkeras.observers.base import Beginning, Observer
from distkeras.observers.points import Curves, Point, measured

__all__ = ["following", "shown", "tolerated"]

log = logger(__name__)

#: Seconds between two looks at the history.
LOOK_SECONDS = 1.0
#: Seconds that an observer has where the user ends the training.
INTERRUPTED = 3.0
#: Seconds in which an observer that was abandoned gives up by itself.
ABANDONED = 1.0


@contextmanager
def following(monitor: Monitor, observers: Sequence[Observer], run: str) -> Iterator[None]:
    """Has a training observed that happens within.

    Args:
        monitor: that looks at its server.
        observers: who is shown it.
        run: what the log calls it.

    Raises:
        DistkerasError: an observer cannot begin.
    """
    with ExitStack() as threads:
        for observer in observers:
            threads.enter_context(_Follower(monitor, observer, run))
        yield


def shown(history: History, observer: Observer, run: str) -> None:
    """Shows a training that is over, such as one that was somewhere else.

    Args:
        history: of its windows.
        observer: who is shown it, in this thread.
        run: what the log calls it.
    """
    with tolerated(observer):
        observer.open(Beginning(run, 0, tuple(history.metrics)))
        curves = Curves(history.metrics, observer.finest)
        points = [*curves.windows(history.records), *curves.due(inf)]
        try:
            observer.take([*points, *measured(history.validations)])
        finally:
            observer.close(True)


@contextmanager
def tolerated(observer: Observer) -> Iterator[None]:
    """Gives an observer its patience for what is within, and no more than a line of the log."""
    alarm = threading.Timer(observer.patience, observer.abandon)
    alarm.daemon = True
    alarm.start()
    try:
        yield
    except DistkerasError as problem:
        _tell(observer, problem)
    finally:
        alarm.cancel()


class _Follower:
    """The thread of one observer.

    The history that it reads only grows, and is kept in any case: it is the queue, and the server
    neither knows nor waits.
    """

    def __init__(self, monitor: Monitor, observer: Observer, run: str) -> None:
        self._monitor, self._server, self._observer = monitor, monitor.server, observer
        self._windows = self._validations = self._shown = 0
        self._beginning = Beginning(run, self._server.resumed[1], tuple(self._server.metrics))
        self._curves = Curves(self._server.metrics, observer.finest, self._beginning.rows)
        self._ended, self._succeeded = threading.Event(), False
        context = copy_context()
        # A daemon, as an observer that hangs is not to keep the process.
        self._thread = threading.Thread(
            target=lambda: context.run(self._follow),
            name=f"distkeras-{observer.name}",
            daemon=True,
        )

    def __enter__(self) -> _Follower:
        self._shown = self._observer.open(self._beginning)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *problem: object) -> None:
        self._succeeded = kind is None
        self._ended.set()
        interrupted = kind is not None and not issubclass(kind, Exception)
        patience = min(self._observer.patience, INTERRUPTED if interrupted else inf)
        self._thread.join(patience)
        if self._thread.is_alive():
            self._observer.abandon()
            # Where that helps the thread says itself what is missing.
            self._thread.join(ABANDONED)
        if self._thread.is_alive():
            log.warning("%s: given up after %g s, not all is there", self._observer.name, patience)

    def _follow(self) -> None:
        try:
            try:
                self._catch_up()
                while not self._ended.wait(LOOK_SECONDS):
                    self._look(self._server.now())
                self._look(inf)
            finally:
                self._observer.close(self._succeeded)
        except DistkerasError as problem:
            _tell(self._observer, problem)

    def _catch_up(self) -> None:
        """Shows what an earlier process has merged, and was killed before it was shown."""
        self._windows, rows = self._server.resumed[0], 0
        earlier = self._server.history[: self._windows]
        for known, record in enumerate(earlier):
            if rows >= self._shown:
                curves = Curves(self._server.metrics, self._observer.finest, rows)
                points = [*curves.windows(earlier[known:]), *curves.due(inf)]
                self._observer.take(points)
                break
            rows += record.samples
        looks = [one.rows <= self._shown for one in self._monitor.validations]
        self._validations = sum(looks)

    def _look(self, now: float) -> None:
        points = list(self._new(now))
        if points:
            self._observer.take(points)

    def _new(self, now: float) -> Iterator[Point]:
        records = self._server.history[self._windows :]
        self._windows += len(records)
        yield from self._curves.windows(records)
        yield from self._curves.due(now)
        validations = self._monitor.validations[self._validations :]
        self._validations += len(validations)
        yield from measured(validations)


def _tell(observer: Observer, problem: DistkerasError) -> None:
    log.warning("%s: %s; the results do not depend on it", observer.name, problem)
