"""The simulated cluster: the same rules, server and worker, on a virtual clock."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distkeras.engines.conditions import Breakdown, Conditions, Constant, Exponential
from distkeras.engines.simulated import Simulation
from distkeras.errors import ConfigError, TrainingDiverged
from distkeras.rules import RULES, downpour
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.transport import inproc
from distkeras.worker import Assignment, Worker, train
from tests.linear import LinearReplica, Table, server_of

SCHEDULE = Schedule(batch_size=4, window=3, epochs=2, seed=3)
#: What one worker trains alone would tell nothing of a rule for several.
TOGETHER = [name for name in RULES if name != "Single"]
SYNCHRONOUS = [name for name in RULES if RULES[name]().synchronous]
ASYNCHRONOUS = [name for name in TOGETHER if name not in (*SYNCHRONOUS, "Ensemble")]


def simulate(
    name: str,
    workers: int = 3,
    conditions: Conditions | None = None,
    schedule: Schedule = SCHEDULE,
    overlap: bool = False,
) -> tuple[ParameterServer, float]:
    server = server_of(RULES[name]())
    server.workers, server.overlap = workers, overlap
    shards = [Table(50, seed) for seed in range(workers)]
    simulation = Simulation(
        server, schedule, shards, lambda *_: LinearReplica(4), conditions or Conditions()
    )
    return server, simulation.run()


@pytest.mark.parametrize("name", RULES)
def test_one_virtual_worker_is_a_real_one_bit_for_bit(name: str) -> None:
    real = server_of(RULES[name]())
    with inproc.connect(real) as channel:
        train(Assignment(0, 0), Table(50), LinearReplica(4), channel, real.rule, SCHEDULE)
    simulated, _ = simulate(name, workers=1)
    np.testing.assert_array_equal(simulated.center, real.center)
    assert simulated.clock == real.clock


@pytest.mark.parametrize("delay", [0.0, 0.25, 5.0])
@pytest.mark.parametrize("name", ASYNCHRONOUS)
def test_one_virtual_worker_overlaps_as_a_real_one_bit_for_bit(name: str, delay: float) -> None:
    real = server_of(RULES[name]())
    real.overlap = True
    with inproc.connect(real) as channel:
        worker = Worker(Assignment(0, 0), Table(50), LinearReplica(4), real.rule, SCHEDULE)
        assert worker.train(channel, overlap=True) == 9
    slow = Conditions(delay=Constant(delay))
    simulated, _ = simulate(name, 1, slow, overlap=True)
    np.testing.assert_array_equal(simulated.center, real.center)
    assert [one.metrics for one in simulated.history] == [one.metrics for one in real.history]
    assert simulated.clock == real.clock


EVERY = [(name, False) for name in TOGETHER] + [(name, True) for name in ASYNCHRONOUS]


@pytest.mark.parametrize(("name", "overlap"), EVERY)
def test_the_same_seeds_give_the_same_center_and_history(name: str, overlap: bool) -> None:
    noisy = Conditions(Exponential(1.0), {1: 3.0}, Exponential(0.1), seed=5)
    (first, seconds), (again, as_many) = (simulate(name, 5, noisy, SCHEDULE, overlap) for _ in "ab")
    np.testing.assert_array_equal(first.center, again.center)
    assert first.history == again.history
    assert seconds == as_many


@pytest.mark.parametrize("name", TOGETHER)
def test_every_row_of_every_worker_is_merged_once_an_epoch(name: str) -> None:
    server, _ = simulate(name, 4, Conditions(Exponential(1.0)))
    assert server.rows_merged == 4 * 50 * 2
    assert server.unfinished == []


def test_the_clock_is_that_of_the_slowest_worker() -> None:
    # 50 rows are 13 mini-batches of 4, twice.
    _, alone = simulate("ADAG", 3, Conditions(Constant(2.0)))
    assert alone == 2 * 13 * 2.0
    _, held_up = simulate("ADAG", 3, Conditions(Constant(2.0), {2: 5.0}))
    assert held_up == 5 * alone


def test_a_message_takes_its_time_both_ways() -> None:
    # Join and 9 windows, each there and back; and the leave.
    _, seconds = simulate("ADAG", 1, Conditions(Constant(1.0), delay=Constant(0.5)))
    assert seconds == 26 * 1.0 + (1 + 9) * 2 * 0.5 + 0.5


def test_the_history_has_virtual_times_and_waits() -> None:
    server, seconds = simulate("DOWNPOUR", 1, Conditions(Constant(1.0), delay=Constant(0.25)))
    times = [record.timestamp for record in server.history]
    assert times[0] == 0.5 + 3 + 0.25
    assert all(before < after for before, after in pairwise(times))
    assert times[-1] < seconds
    assert {record.exchange_wait for record in server.history} == {0.5}


def test_an_exchange_takes_no_time_while_the_next_window_is_trained() -> None:
    # Only the join, the last exchange and the leave are waited for.
    slow = Conditions(Constant(1.0), delay=Constant(0.5))
    server, seconds = simulate("ADAG", 1, slow, overlap=True)
    assert seconds == 26 * 1.0 + 2 * 2 * 0.5 + 0.5
    assert [record.exchange_wait for record in server.history] == [0.0] * 8 + [1.0]


def test_of_a_longer_exchange_what_exceeds_the_window_is_waited_for() -> None:
    # There and back takes 5 s, a window 3 s, but the last, of two mini-batches, 2 s.
    slow = Conditions(Constant(1.0), delay=Constant(2.5))
    server, seconds = simulate("ADAG", 1, slow, overlap=True)
    assert [record.exchange_wait for record in server.history] == [2.0] * 7 + [3.0, 5.0]
    assert seconds == 5 + 3 + 9 * 5 + 2.5


def test_with_overlap_an_update_is_stale_by_the_window_before_too() -> None:
    server, _ = simulate("DOWNPOUR", 4, overlap=True)
    assert {r.staleness for r in server.history if r.window > 1} == {6}


def test_equal_workers_take_turns_and_a_straggler_is_stale() -> None:
    server, _ = simulate("DOWNPOUR", 4)
    assert {r.staleness for r in server.history if r.window} == {3}
    server, _ = simulate("DOWNPOUR", 2, Conditions(slowdown={1: 4.0}))
    slow = [record.staleness for record in server.history if record.worker == 1]
    # While the other one trains, it merges about four windows for each of the straggler's.
    assert max(slow) in (4, 5)


breakdowns = st.lists(
    st.builds(Breakdown, st.integers(0, 2), st.floats(0, 30), st.floats(0, 5)), max_size=6
)


@settings(max_examples=200)
@given(st.sampled_from(EVERY), breakdowns, st.sampled_from([0.0, 0.25, 4.0]))
def test_a_breakdown_loses_nothing_and_merges_nothing_twice(
    case: tuple[str, bool], when: list[Breakdown], delay: float
) -> None:
    name, overlap = case
    broken = Conditions(delay=Constant(delay), breakdowns=tuple(when))
    server, _ = simulate(name, 3, broken, overlap=overlap)
    assert server.rows_merged == 3 * 50 * 2
    assert server.unfinished == []
    windows = sorted((record.worker, record.window) for record in server.history)
    assert windows == [(worker, window) for worker in range(3) for window in range(9)]


@settings(max_examples=100)
@given(st.sampled_from(list(RULES)), breakdowns)
def test_one_worker_ends_at_the_same_center_whenever_it_broke_down(
    name: str, when: list[Breakdown]
) -> None:
    alone = tuple(Breakdown(0, one.at, one.restart) for one in when)
    disturbed, _ = simulate(name, 1, Conditions(breakdowns=alone))
    undisturbed, _ = simulate(name, 1)
    np.testing.assert_array_equal(disturbed.center, undisturbed.center)


def test_a_center_that_diverges_ends_the_simulation() -> None:
    server = server_of(downpour())
    explosive = LinearReplica(4, rate=1e30)
    simulation = Simulation(server, SCHEDULE, [Table(50)], lambda *_: explosive, Conditions())
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(TrainingDiverged):
        simulation.run()


def test_a_hundred_workers_each_find_their_rows() -> None:
    server, _ = simulate("ADAG", 100, Conditions(Exponential(1.0)))
    assert server.rows_merged == 100 * 50 * 2


def test_watching_sees_the_clock_go_on() -> None:
    server = server_of(downpour())
    simulation = Simulation(
        server, SCHEDULE, [Table(20)], lambda *_: LinearReplica(4), Conditions()
    )
    seen: list[float] = []
    simulation.run(lambda: seen.append(simulation.now))
    assert seen == sorted(seen)
    assert seen[-1] == simulation.now


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Constant(-1.0), "seconds is -1.0"),
        (lambda: Exponential(float("nan")), "mean is nan"),
        (lambda: Breakdown(0, at=float("inf")), "at is inf"),
        (lambda: Breakdown(0, at=1.0, restart=-2), "restart is -2"),
        (lambda: Conditions(slowdown={0: 0.0}), "slowdown of worker 0 is 0.0"),
        (lambda: simulate("ADAG", 2, Conditions(slowdown={2: 2.0})), "worker 2 is none of the 2"),
        (lambda: simulate("ADAG", 2, Conditions(breakdowns=(Breakdown(-1, 0),))), "worker -1 is"),
    ],
)
def test_conditions_that_cannot_be_are_refused(make: object, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("name", SYNCHRONOUS)
def test_a_synchronous_round_waits_for_its_slowest_worker(name: str) -> None:
    even, seconds = simulate(name, 3)
    uneven, longer = simulate(name, 3, Conditions(slowdown={1: 7.0}))
    np.testing.assert_array_equal(even.center, uneven.center)
    assert (seconds, longer) == (2 * 13, 7 * 2 * 13)
    assert [record.window for record in even.history] == [n // 3 for n in range(27)]


@settings(max_examples=50)
@given(st.sampled_from(SYNCHRONOUS), breakdowns, st.integers(0, 9))
def test_a_synchronous_center_does_not_depend_on_time(
    name: str, when: list[Breakdown], seed: int
) -> None:
    noisy = Conditions(Exponential(1.0), {0: 3.0}, Exponential(0.2), tuple(when), seed)
    np.testing.assert_array_equal(simulate(name, 3, noisy)[0].center, simulate(name)[0].center)
