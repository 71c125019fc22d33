"""A simulation's server that takes its time: exchanges queue, and one server can be too few."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distkeras.conversation import Record
from distkeras.engines.conditions import Breakdown, Conditions, Constant, Exponential
from distkeras.engines.simulated import Simulation
from distkeras.errors import ConfigError
from distkeras.rules import RULES
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from tests.linear import LinearReplica, Table, server_of

#: Of the 50 rows of a worker: eight windows of three mini-batches, and one of two.
SCHEDULE = Schedule(batch_size=4, window=3, epochs=2, seed=3)
WINDOWS = 9


def simulate(
    name: str, workers: int, conditions: Conditions, overlap: bool = False
) -> tuple[ParameterServer, float]:
    server = server_of(RULES[name]())
    server.workers, server.overlap = workers, overlap
    shards = [Table(50, seed) for seed in range(workers)]
    place = server, SCHEDULE, shards, lambda *_: LinearReplica(4), conditions
    return server, Simulation(*place).run()


def busy(seconds: float, servers: int = 1, **more: Constant) -> Conditions:
    """A mini-batch takes a second, an exchange so many at one server."""
    return Conditions(service=Constant(seconds), servers=servers, **more)  # type: ignore[arg-type]


def records(server: ParameterServer, worker: int) -> list[Record]:
    return [record for record in server.history if record.worker == worker]


def waits(server: ParameterServer, worker: int) -> list[float]:
    return [record.exchange_wait for record in records(server, worker)]


def times(server: ParameterServer) -> list[float]:
    return [record.timestamp for record in server.history]


def test_a_worker_waits_while_it_is_served() -> None:
    server, seconds = simulate("ADAG", 1, busy(0.5))
    assert times(server) == [*(3.5 * k for k in range(1, 9)), 8 * 3.5 + 2.5]
    assert waits(server, 0) == [0.5] * WINDOWS
    assert seconds == 26 + WINDOWS * 0.5


def test_the_way_there_and_back_comes_on_top() -> None:
    server, seconds = simulate("ADAG", 1, busy(0.5, delay=Constant(0.25)))
    assert waits(server, 0) == [1.0] * WINDOWS
    # The join, and the leave.
    assert seconds == 26 + WINDOWS * 1.0 + 3 * 0.25


def test_who_comes_second_waits_for_the_first_too() -> None:
    server, seconds = simulate("ADAG", 2, busy(0.5))
    assert times(server)[:4] == [3.5, 4.0, 7.0, 7.5]
    assert waits(server, 0) == [0.5] * WINDOWS
    # From then on they come one after the other, and none is in the other's way.
    assert waits(server, 1) == [1.0] + [0.5] * (WINDOWS - 1)
    assert seconds == 26 + (WINDOWS + 1) * 0.5


def test_too_many_workers_are_merged_as_fast_as_the_server_can() -> None:
    # Seven of them would come in the 3.5 s of a window and its exchange.
    server, _ = simulate("ADAG", 10, busy(0.5))
    assert times(server) == [3.5 + 0.5 * k for k in range(10 * WINDOWS)]
    for worker in range(10):
        # Of the 5 s of a round, what the window does not take; the last windows are shorter.
        assert waits(server, worker)[:-2] == [0.5 * (worker + 1)] + [2.0] * (WINDOWS - 3)


@pytest.mark.parametrize("name", ["ADAG", "Averaging"])
def test_several_servers_share_an_exchange(name: str) -> None:
    shared, seconds = simulate(name, 4, busy(2.0, servers=4))
    alone, as_many = simulate(name, 4, busy(0.5))
    assert (shared.history, seconds) == (alone.history, as_many)
    np.testing.assert_array_equal(shared.center, alone.center)


@pytest.mark.parametrize("name", [name for name in RULES if RULES[name]().synchronous])
def test_a_round_is_served_worker_by_worker(name: str) -> None:
    served, seconds = simulate(name, 3, busy(0.5))
    at_once, _ = simulate(name, 3, Conditions())
    assert seconds == 26 + WINDOWS * 3 * 0.5
    # The merge is that of the last; the first waits for the others.
    assert times(served)[:3] == [4.5] * 3
    assert {wait for worker in range(3) for wait in waits(served, worker)} == {1.5}
    np.testing.assert_array_equal(served.center, at_once.center)


def test_with_overlap_only_a_saturated_server_is_waited_for() -> None:
    server, _ = simulate("ADAG", 2, busy(0.5), overlap=True)
    assert waits(server, 0)[:-1] == [0.0] * (WINDOWS - 1)
    # Of ten, a round takes 5 s and a window 3.
    server, _ = simulate("ADAG", 10, busy(0.5), overlap=True)
    assert times(server) == [3.5 + 0.5 * k for k in range(10 * WINDOWS)]
    assert waits(server, 9)[1:-2] == [2.0] * (WINDOWS - 3)


def test_what_a_lost_worker_sent_keeps_the_server_busy_all_the_same() -> None:
    # Worker 0 sends at 3 s, and ends; its next attempt begins that window anew at 3.25 s.
    lost = Conditions(service=Constant(0.5), breakdowns=(Breakdown(0, at=3.125, restart=0.125),))
    server, _ = simulate("ADAG", 2, lost)
    assert server.history[0].worker == 1
    assert times(server)[:2] == [4.0, 6.75]
    assert server.rows_merged == 2 * 50 * 2


def test_drawn_times_are_the_same_again_and_change_no_workers_own() -> None:
    noisy = Conditions(Exponential(1.0), {1: 3.0}, seed=5, service=Exponential(0.25))
    (first, seconds), (again, as_many) = (simulate("ADAG", 5, noisy) for _ in "ab")
    assert (first.history, seconds) == (again.history, as_many)
    np.testing.assert_array_equal(first.center, again.center)
    # What a window takes is drawn for a worker, not for the server.
    quick, _ = simulate("ADAG", 1, Conditions(Exponential(1.0), seed=5))
    slow, _ = simulate("ADAG", 1, Conditions(Exponential(1.0), seed=5, service=Constant(2.0)))
    late = [a - b for a, b in zip(times(slow), times(quick), strict=True)]
    assert late == pytest.approx([2.0 * k for k in range(1, WINDOWS + 1)])


@settings(max_examples=100)
@given(
    st.sampled_from([name for name in RULES if name not in ("Single", "Ensemble")]),
    st.integers(1, 12),
    st.sampled_from([0.125, 0.5, 4.0]),
    st.lists(st.builds(Breakdown, st.just(0), st.floats(0, 30), st.floats(0, 5)), max_size=4),
)
def test_no_two_windows_are_merged_in_less_than_an_exchange_takes(
    name: str, workers: int, service: float, when: list[Breakdown]
) -> None:
    conditions = Conditions(service=Constant(service), breakdowns=tuple(when))
    server, _ = simulate(name, workers, conditions)
    assert server.rows_merged == workers * 50 * 2
    if not server.rule.synchronous:
        assert all(b - a >= service - 1e-9 for a, b in pairwise(times(server)))
    assert min(wait for worker in range(workers) for wait in waits(server, worker)) >= 0


@pytest.mark.parametrize("servers", [0, -1, 1.5, "2"])
def test_a_number_of_servers_that_cannot_be_is_refused(servers: object) -> None:
    with pytest.raises(ConfigError, match=f"servers is {servers!r}, but must be a whole number"):
        Conditions(servers=servers)  # type: ignore[arg-type]
