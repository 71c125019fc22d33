"""Looking on, while a real server merges: it never waits for those who do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from distkeras.errors import StorageError
from distkeras.monitor import Monitor
from distkeras.observers import Beginning, Point
from distkeras.observers.following import following
from distkeras.observers.points import CENTER
from distkeras.rules import downpour
from distkeras.server import ParameterServer
from tests.linear import server_of, update

#: Seconds that anything here may take on a busy machine.
DEADLINE = 60.0


class Onlooker:
    """Keeps what it is shown."""

    name, finest, patience = "onlooker", 0.001, DEADLINE

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.beginning: Beginning | None = None
        self.shown = 0
        self.closed: list[bool] = []

    def open(self, beginning: Beginning) -> int:
        self.beginning = beginning
        return self.shown

    def take(self, points: Sequence[Point]) -> None:
        self.points += points

    def close(self, succeeded: bool) -> None:
        self.closed.append(succeeded)

    def abandon(self) -> None:
        raise AssertionError("nobody had to wait")

    def steps(self, run: str) -> list[int]:
        return [point.step for point in self.points if point.run == run]


class Stuck(Onlooker):
    """Is given something, and never comes back, until it is abandoned."""

    patience = 0.2

    def __init__(self) -> None:
        super().__init__()
        self.taken, self.abandoned = threading.Event(), threading.Event()

    def take(self, points: Sequence[Point]) -> None:
        self.taken.set()
        self.abandoned.wait(DEADLINE)
        raise StorageError("stuck: given up")

    def abandon(self) -> None:
        self.abandoned.set()


def merge(server: ParameterServer, windows: range) -> None:
    for sequence in windows:
        server.exchange(update(sequence))


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_is_merged_is_shown_while_it_goes_on() -> None:
    server, seen = server_of(downpour()), Onlooker()
    server.join(0, 0, 100)
    with following(Monitor(server, 100), [seen], "a run"):
        merge(server, range(2))
        until(lambda: seen.steps(CENTER)[-1:] == [8])
        merge(server, range(2, 4))
    assert seen.beginning == Beginning("a run", 0, ("loss",))
    assert seen.steps(CENTER)[-1] == seen.steps("worker-0")[-1] == 16
    assert seen.closed == [True]


@pytest.mark.parametrize(("shown", "steps"), [(12, [16]), (4, [8, 12, 16]), (0, [4, 8, 12, 16])])
def test_a_training_that_goes_on_is_shown_from_there(shown: int, steps: list[int]) -> None:
    """From where the process before was killed, which is not where its checkpoint was."""
    before, server, seen = server_of(downpour()), server_of(downpour()), Onlooker()
    before.join(0, 0, 100)
    merge(before, range(3))
    server.restore(before.snapshot())
    server.join(0, 1, 100)
    seen.shown = shown
    with following(Monitor(server, 100), [seen], "a run"):
        server.exchange(update(3, attempt=1))
    assert seen.beginning == Beginning("a run", 12, ("loss",))
    assert seen.steps(CENTER)[-1] == 16
    assert seen.steps(CENTER)[0] > shown
    assert set(seen.steps(CENTER)) <= set(steps)
    assert 12 in seen.steps(CENTER) or shown == 12


def test_who_is_stuck_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    server, stuck, seen = server_of(downpour()), Stuck(), Onlooker()
    server.join(0, 0, 10_000)
    with following(Monitor(server, 10_000), [stuck, seen], "a run"):
        merge(server, range(1))
        assert stuck.taken.wait(DEADLINE)
        merge(server, range(1, 500))
    assert server.rows_merged == seen.steps(CENTER)[-1] == 2000
    assert stuck.abandoned.is_set()
    assert [one.getMessage() for one in caplog.records if one.levelname == "WARNING"] == [
        "onlooker: stuck: given up; the results do not depend on it"
    ]


def test_a_training_that_fails_is_shown_as_failed() -> None:
    server, seen = server_of(downpour()), Onlooker()
    server.join(0, 0, 100)

    def fail() -> None:
        with following(Monitor(server, 100), [seen], "a run"):
            merge(server, range(1))
            raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        fail()
    assert seen.closed == [False]
    assert seen.steps(CENTER) == [4]
