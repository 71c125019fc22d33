"""The schedule of a worker, and its loop against a real server in this process."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distkeras.conversation import Answer, Failure, Update
from distkeras.errors import DataError, ExchangeTimeout, Superseded, TrainingDiverged
from distkeras.rules import RULES, Rule, Window, adag, downpour, ensemble, single
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.transport import inproc
from distkeras.vectors import Vector
from distkeras.worker import Assignment, Trained, report, train
from tests.linear import LinearReplica, Table, in_threads, server_of, trained_alone

schedules = st.builds(
    Schedule,
    batch_size=st.integers(1, 7),
    window=st.integers(1, 12) | st.none(),
    epochs=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    portion=st.integers(1, 5) | st.none(),
)
row_counts = st.integers(1, 60)


FIRST = Assignment(0, 0)


def run(server: ParameterServer, rows: Table, schedule: Schedule, who: Assignment = FIRST) -> int:
    replica = LinearReplica(schedule.batch_size)
    with inproc.connect(server) as channel:
        return train(who, rows, replica, channel, server.rule, schedule)


@given(schedules, row_counts, st.integers(0, 9))
def test_every_row_comes_exactly_once_an_epoch(
    schedule: Schedule, rows: int, partition: int
) -> None:
    portions = [part for step in schedule.windows(partition, rows) for part in step.portions]
    seen = np.concatenate(portions).reshape(schedule.epochs, rows)
    for epoch in seen:
        assert sorted(epoch) == list(range(rows))


@given(schedules, row_counts)
def test_only_the_last_window_is_shorter_and_it_is_not_dropped(
    schedule: Schedule, rows: int
) -> None:
    per_epoch = -(-rows // schedule.batch_size)
    window = schedule.window or per_epoch
    steps = list(schedule.windows(0, rows))
    total = per_epoch * schedule.epochs
    assert [step.sequence for step in steps] == list(range(len(steps)))
    assert [step.batches for step in steps[:-1]] == [window] * (len(steps) - 1)
    assert steps[-1].batches == (total % window or window)
    assert [step.epoch for step in steps] == [
        (min(number * window + window, total) - 1) // per_epoch for number in range(len(steps))
    ]


@given(schedules, row_counts)
def test_a_portion_is_no_longer_than_a_replica_takes_and_within_one_epoch(
    schedule: Schedule, rows: int
) -> None:
    portions = [part for step in schedule.windows(0, rows) for part in step.portions]
    for part in portions:
        assert 0 < len(part) <= schedule.batch_size * (schedule.portion or len(part))
        assert len(set(part)) == len(part)
    # Only at the end of an epoch may a mini-batch be partial.
    ends = np.cumsum([len(part) for part in portions])
    partial = [
        end for part, end in zip(portions, ends, strict=True) if len(part) % schedule.batch_size
    ]
    assert all(end % rows == 0 for end in partial)


@given(schedules, row_counts, st.data())
def test_a_later_start_leaves_exactly_the_windows_that_remain(
    schedule: Schedule, rows: int, data: st.DataObject
) -> None:
    whole = list(schedule.windows(1, rows))
    start = data.draw(st.integers(0, len(whole)))
    remaining = list(schedule.windows(1, rows, start))
    assert [(one.epoch, one.sequence) for one in remaining] == [
        (one.epoch, one.sequence) for one in whole[start:]
    ]
    for again, step in zip(remaining, whole[start:], strict=True):
        np.testing.assert_equal(again.portions, step.portions)


def test_seed_partition_and_epoch_each_give_another_order() -> None:
    def order(seed: int, partition: int, epoch: int) -> tuple[int, ...]:
        (*_, step) = Schedule(100, 1, epoch + 1, seed).windows(partition, 100)
        return tuple(step.portions[0])

    orders = {order(*case) for case in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]}
    assert len(orders) == 4
    assert order(0, 0, 0) in orders


@pytest.mark.parametrize(("rows", "steps"), [(1, 1), (4, 1), (5, 2), (12, 3)])
def test_a_partial_mini_batch_is_a_step(rows: int, steps: int) -> None:
    assert Schedule(4, 3, 1, 0).steps(rows) == steps


@pytest.mark.parametrize("rule", [downpour(), adag()], ids=["DOWNPOUR", "ADAG"])
def test_one_worker_with_a_window_of_one_step_is_plain_local_training(rule: Rule) -> None:
    rows, schedule = Table(50), Schedule(batch_size=4, window=1, epochs=2, seed=3)
    server = server_of(rule)
    run(server, rows, schedule)
    # c + (W - c) is W but for rounding.
    np.testing.assert_allclose(server.center, trained_alone(rows, schedule), rtol=1e-5)


@pytest.mark.parametrize("window", [1, 2, 5, 100])
def test_single_is_plain_local_training_whatever_the_window(window: int) -> None:
    rows, schedule = Table(50), Schedule(batch_size=4, window=window, epochs=2, seed=3)
    server = server_of(single())
    run(server, rows, schedule)
    alone = trained_alone(rows, schedule)
    np.testing.assert_array_equal(server.center, alone)


@pytest.mark.parametrize("name", [name for name in RULES if name != "Ensemble"])
def test_every_rule_learns_with_several_workers(name: str) -> None:
    server = server_of(RULES[name]())
    server.workers = 1 if name == "Single" else 2

    def work(worker: int) -> None:
        run(server, Table(200, worker), Schedule(8, 4, 20, 0), Assignment(worker, 0))

    in_threads(server.workers, work)
    np.testing.assert_allclose(server.center, [1, 2, 3], atol=0.3)


def test_the_members_of_an_ensemble_are_each_trained_alone() -> None:
    server, schedule = server_of(ensemble()), Schedule(8, 4, 3, 0)
    for worker in range(3):
        run(server, Table(40, worker), schedule, Assignment(worker, 0))
    assert server.center.tolist() == [0, 0, 0]
    first, _, _ = server.workers_weights()
    np.testing.assert_array_equal(first, trained_alone(Table(40, 0), schedule))


def test_the_history_tells_what_each_window_was() -> None:
    server = server_of(downpour())
    assert run(server, Table(10), Schedule(batch_size=2, window=3, epochs=2, seed=0)) == 4
    told = [(r.worker, r.epoch, r.window, r.samples, r.staleness) for r in server.history]
    assert told == [(0, 0, 0, 6, 0), (0, 1, 1, 6, 0), (0, 1, 2, 6, 0), (0, 1, 3, 2, 0)]
    assert server.rows_merged == 20
    assert server.unfinished == []


def test_the_losses_in_the_history_are_those_of_the_replica() -> None:
    rows, schedule = Table(30), Schedule(5, 2, 1, 0)
    server = server_of(single())
    run(server, rows, schedule)
    replica, weights, losses = LinearReplica(5), np.zeros(3, np.float32), []
    for step in schedule.windows(0, 30):
        weights, metrics = replica.run(weights, rows.take(step.portions[0]))
        losses.append((float(metrics[0]),))
    assert [record.metrics for record in server.history] == losses


def test_a_rule_is_told_the_steps_and_the_two_ends_of_each_window() -> None:
    told: list[Window] = []

    def send(window: Window) -> Vector:
        told.append(window)
        return window.weights

    server = server_of(replace(single(), send=send))
    rows, schedule = Table(11), Schedule(batch_size=2, window=3, epochs=2, seed=0)
    run(server, rows, schedule)
    assert [window.steps for window in told] == [3, 3, 3, 3]
    run(server, Table(9), schedule, Assignment(1, 0))
    assert [window.steps for window in told[4:]] == [3, 3, 3, 1]
    for window, following in pairwise(told[:4]):
        np.testing.assert_array_equal(following.start, window.weights)
    np.testing.assert_array_equal(told[0].start, np.zeros(3))


class Recording:
    """A channel that passes everything on, and keeps what was said."""

    def __init__(self, server: ParameterServer) -> None:
        self._server = server
        self.join = server.join
        self.fail = server.fail
        self.waits: list[float] = []
        self.cpu: list[float] = []

    def exchange(self, update: Update) -> Answer:
        self.cpu.append(update.cpu)
        self.waits.append(update.wait)
        return self._server.exchange(update)

    def leave(self, partition: int, attempt: int, wait: float) -> None:
        self.waits.append(wait)
        self._server.leave(partition, attempt, wait)


def test_each_exchange_tells_how_long_the_one_before_took() -> None:
    server = server_of(downpour())
    channel = Recording(server)
    train(Assignment(0, 0), Table(12), LinearReplica(2), channel, server.rule, Schedule(2, 2, 1, 0))
    assert len(channel.waits) == 4  # Three windows, and leaving.
    assert channel.waits[0] == 0
    assert all(wait > 0 for wait in channel.waits[1:])
    assert [record.exchange_wait for record in server.history] == channel.waits[1:]
    # And what of a processor went into the window.
    assert all(0 < seconds < 60 for seconds in channel.cpu)
    assert [record.cpu_seconds for record in server.history] == channel.cpu


def test_a_worker_whose_windows_are_all_merged_trains_none_again() -> None:
    server, rows, schedule = server_of(downpour()), Table(20), Schedule(4, 2, 2, 0)
    assert run(server, rows, schedule) == 5
    center, waits = server.center, [record.exchange_wait for record in server.history]
    assert run(server, rows, schedule, Assignment(0, 1)) == 0
    assert server.center is center
    assert [record.exchange_wait for record in server.history] == waits


def test_what_the_server_refuses_ends_the_worker() -> None:
    server = server_of(downpour())
    run(server, Table(20), Schedule(4, 2, 1, 0), Assignment(0, 5))
    with pytest.raises(Superseded):
        run(server, Table(20), Schedule(4, 2, 1, 0), Assignment(0, 4))
    with pytest.raises(DataError, match="19 rows"):
        run(server, Table(19), Schedule(4, 2, 1, 0), Assignment(0, 6))


def test_a_worker_that_is_refused_leaves_no_thread_behind() -> None:
    server, schedule = server_of(downpour()), Schedule(4, 1, 3, 0, prefetch=1)
    before = set(threading.enumerate())
    with pytest.raises(TrainingDiverged) as kept:
        train(FIRST, Table(20), LinearReplica(4, np.inf), server, downpour(), schedule)
    assert kept.traceback  # With the frames, and so with all that they know.
    assert set(threading.enumerate()) == before


def failure_of(error: Exception) -> list[Failure]:
    server = server_of(downpour())
    with pytest.raises(type(error)) as raised:  # As a worker has it: with its traceback.
        raise error
    report(server, 3, raised.value)
    return server.failures


def test_a_report_names_worker_error_and_place() -> None:
    (failure,) = failure_of(DataError("column 'x': row 3 is null\nand more"))
    assert failure[:3] == (3, "DataError", "column 'x': row 3 is null")
    assert "raise error" in failure.details


def test_a_report_of_an_error_that_begins_with_an_empty_line_has_its_words() -> None:
    (failure,) = failure_of(ValueError("\n\n  Arguments received:\n  * x"))
    assert failure.message == "Arguments received:"


def test_an_error_without_words_is_reported_by_its_name() -> None:
    (failure,) = failure_of(MemoryError())
    assert failure[:3] == (3, "MemoryError", "MemoryError")


def test_a_server_that_was_waited_for_in_vain_is_not_asked_again() -> None:
    assert failure_of(ExchangeTimeout("the parameter server did not answer")) == []


def test_a_worker_that_is_stopped_adopts_the_answer_and_leaves() -> None:
    server = server_of(single())

    class Stopping(Recording):
        def exchange(self, update: Update) -> Answer:
            if update.sequence == 2:
                server.stop("enough")
            return super().exchange(update)

    who = Assignment(0, 0)
    schedule = Schedule(2, 2, 3, 0)
    assert train(who, Table(12), LinearReplica(2), Stopping(server), server.rule, schedule) == 3
    assert server.unfinished == []
    assert server.clock == 3


def test_a_worker_that_joins_after_the_stop_trains_nothing() -> None:
    server = server_of(single())
    server.stop("enough")
    assert run(server, Table(12), Schedule(2, 2, 3, 0)) == 0
    assert server.unfinished == []


@pytest.mark.parametrize("portion", [1, 2, 3, 7])
def test_a_window_in_portions_is_the_same_window(portion: int) -> None:
    rows, whole = Table(50), Schedule(batch_size=4, window=6, epochs=2, seed=3)
    servers = [server_of(downpour()), server_of(downpour())]
    for server, schedule in zip(servers, (whole, replace(whole, portion=portion)), strict=True):
        run(server, rows, schedule)
    np.testing.assert_array_equal(servers[0].center, servers[1].center)
    for record, cut in zip(servers[0].history, servers[1].history, strict=True):
        np.testing.assert_allclose(cut.metrics, record.metrics, rtol=1e-6)


class Clocked:
    """A replica that learns nothing and keeps the clock of each call."""

    def __init__(self) -> None:
        self.clocks: list[int] = []

    def run(self, weights: Vector, rows: Mapping[str, np.ndarray], clock: int = 0) -> Trained:
        self.clocks.append(clock)
        return Trained(weights, np.float32([0]))


def test_the_replica_is_told_the_clock_of_the_center_in_mini_batches() -> None:
    server, replica = server_of(downpour()), Clocked()
    schedule = Schedule(batch_size=2, window=4, epochs=1, seed=0, portion=2)
    other = Table(6)
    run(server, other, Schedule(2, 4, 1, 0), Assignment(1, 0))
    with inproc.connect(server) as channel:
        train(Assignment(0, 0), Table(16), replica, channel, server.rule, schedule)
    assert replica.clocks == [3, 5, 7, 9]
