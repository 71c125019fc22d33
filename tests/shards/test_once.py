"""Each window is merged by all shards once, or by none, wherever a worker dies."""

from __future__ import annotations

import threading
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distkeras.codecs import CODECS, codec_of
from distkeras.conversation import Update
from distkeras.rules import RULES, downpour
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.shards.coordinator import Coordinator
from distkeras.worker import Assignment, Worker
from tests.linear import WIDTH, LinearReplica, Table, in_threads
from tests.shards.served import Killed, Where, running, served

SCHEDULE = Schedule(batch_size=4, window=3, epochs=2, seed=3)
ROWS = 50
SYNCHRONOUS = ("Averaging", "DiLoCo", "EASGD")


def whole(name: str, workers: int = 1, codec: str | None = None) -> ParameterServer:
    """One server."""
    center = np.zeros(WIDTH, np.float32)
    return ParameterServer(center, RULES[name](), workers=workers, codec=codec_of(codec))


def trained(where: Where | ParameterServer, rule: str, deaths: list[int], number: int = 0) -> None:
    """A worker, with an attempt for each death, and one that lives."""
    if isinstance(where, ParameterServer):
        worker(rule, number, 0).train(where)
    else:
        for attempt, calls in enumerate([*deaths, 10_000]):
            attempted(where, rule, number, attempt, calls)


def attempted(where: Where, rule: str, number: int, attempt: int, calls: int) -> None:
    """One attempt, which may die."""
    with suppress(Killed), where.mortal(calls) as channel:
        worker(rule, number, attempt).train(channel)


def worker(rule: str, number: int, attempt: int) -> Worker:
    """One that has trained nothing yet."""
    who, rows = Assignment(number, attempt), Table(ROWS, number)
    return Worker(who, rows, LinearReplica(4), RULES[rule](), SCHEDULE)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 3), deaths=st.lists(st.integers(0, 30), max_size=4))
def test_the_center_is_that_of_one_server_undisturbed(
    name: str, count: int, deaths: list[int]
) -> None:
    alone = whole(name)
    trained(alone, name, [])
    with served(whole(name), count) as (coordinator, where):
        trained(where, name, deaths)
        center, rows, _ = coordinator.center_now()
    assert center.tobytes() == alone.center.tobytes()
    assert rows == alone.rows_merged == 2 * ROWS
    assert [one.window for one in coordinator.history] == list(range(alone.clock))
    assert coordinator.unfinished == []


@pytest.mark.parametrize("name", SYNCHRONOUS)
@settings(max_examples=8, deadline=None)
@given(deaths=st.lists(st.lists(st.integers(0, 30), max_size=2), min_size=3, max_size=3))
def test_rounds_are_those_of_one_server(name: str, deaths: list[list[int]]) -> None:
    alone = whole(name, 3)
    in_threads(3, lambda number: trained(alone, name, [], number))
    with served(whole(name, 3), 2) as (coordinator, where):
        in_threads(3, lambda number: trained(where, name, deaths[number], number))
        center, rows, _ = coordinator.center_now()
    assert center.tobytes() == alone.center.tobytes()
    assert rows == 3 * 2 * ROWS


@pytest.mark.parametrize("codec", sorted(set(CODECS) - {"none"}))
@pytest.mark.parametrize("name", ["ADAG", "AEASGD", "Averaging"])
@settings(max_examples=8, deadline=None)
@given(deaths=st.lists(st.integers(0, 30), max_size=3))
def test_both_sides_agree_where_a_codec_loses_something(
    name: str, codec: str, deaths: list[int]
) -> None:
    with served(whole(name), 2, codec) as (coordinator, where):
        for attempt, calls in enumerate(deaths):
            attempted(where, name, 0, attempt, calls)
        last = worker(name, 0, 8)
        with where.channel() as channel:
            last.train(channel)
            there = channel.join(0, 9, ROWS)
    assert coordinator.rows_merged == 2 * ROWS
    # The next attempt would begin where this one has ended, with all that was lost on the way.
    assert there.weights.tobytes() == last._start.tobytes()


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("codec", sorted(CODECS))
def test_one_worker_learns_what_it_learns_from_one_server(codec: str, overlap: bool) -> None:
    centers = []
    for count in (1, 2):
        server = whole("ADAG", 1, codec)
        server.overlap = overlap
        with served(server, count, codec) as (coordinator, where), where.channel() as channel:
            worker("ADAG", 0, 0).train(channel, overlap)
            centers.append(coordinator.center_now()[0])
    if codec in ("none", "bfloat16"):
        assert centers[0].tobytes() == centers[1].tobytes()
    np.testing.assert_allclose(centers[0], centers[1], atol=1.0)


class Counting:
    """Workers that add 1 to each weight with each window, and die now and then."""

    def __init__(self, where: Where, windows: int) -> None:
        self.where, self.windows = where, windows

    def work(self, number: int, first: int = 0) -> None:
        random = np.random.default_rng([number, first])
        for attempt in range(first, first + 1000):
            with suppress(Killed), self.where.mortal(int(random.integers(1, 40))) as channel:
                sequence = channel.join(number, attempt, self.windows).sequence
                while sequence < self.windows:
                    one = np.ones(self.where.size, np.float32)
                    loss = np.zeros(1, np.float32)
                    channel.exchange(Update(number, attempt, 0, sequence, 1, loss, one, 0.0))
                    sequence += 1
                channel.leave(number, attempt, 0.0)
                return


def test_every_look_at_the_center_finds_whole_windows() -> None:
    server = ParameterServer(np.zeros(10, np.float32), downpour(), workers=4)
    looks, ended, snapshots = [], threading.Event(), []
    with served(server, 3) as (coordinator, where):

        def look() -> None:
            while not ended.wait(0.001):
                center, rows, _ = coordinator.center_now()
                looks.append((set(center.tolist()), rows))
                snapshots.append(coordinator.snapshot())

        looking = threading.Thread(target=look)
        looking.start()
        try:
            in_threads(4, Counting(where, 60).work)
        finally:
            ended.set()
            looking.join()
        assert coordinator.center_now()[0].tolist() == [240] * 10
    assert all(values == {rows} for values, rows in looks)
    assert len({rows for _, rows in looks}) > 3
    for snapshot in snapshots:
        assert snapshot.center.tolist() == [snapshot.clock] * 10
        assert snapshot.clock == sum(one.sequence for one in snapshot.members.values())
    resumed(snapshots[len(snapshots) // 2])


def resumed(snapshot: object) -> None:
    """Goes on from what was saved, with another number of shards."""
    server = ParameterServer(np.zeros(10, np.float32), downpour(), workers=4)
    coordinator = Coordinator(server, 2, None)
    coordinator.restore(snapshot)
    with running(coordinator, downpour()) as where:
        assert coordinator.center_now()[0].tolist() == [snapshot.clock] * 10
        in_threads(4, Counting(where, 60).work)
        assert coordinator.center_now()[0].tolist() == [240] * 10
        assert coordinator.snapshot().center.tolist() == [240] * 10
