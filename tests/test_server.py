"""The center is changed by each window once, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from distkeras.conversation import Failure
from distkeras.errors import (
    DataError,
    ProtocolError,
    Superseded,
    TrainingDiverged,
)
from distkeras.rules import RULES, Exchange, Merged, Rule, Window, aeasgd, downpour
from distkeras.server import ParameterServer
from distkeras.vectors import Vector
from tests.linear import in_threads, server_of, update

every_rule = pytest.mark.parametrize("rule", [make() for make in RULES.values()], ids=list(RULES))


@pytest.fixture
def server() -> ParameterServer:
    """One worker of 8 rows has joined."""
    made = server_of(downpour())
    made.join(0, 0, rows=8)
    return made


def test_a_new_worker_starts_at_the_center_with_window_0() -> None:
    server = server_of(downpour())
    welcome = server.join(7, 0, rows=8)
    assert welcome.sequence == 0
    assert welcome.weights is server.center
    assert server.unfinished == [7]


def test_an_exchange_merges_ticks_the_clock_and_is_remembered(server: ParameterServer) -> None:
    answer = server.exchange(update(0))
    assert server.center.tolist() == answer.vector.tolist() == [1, 2, 3]
    assert answer.staleness == 0
    assert server.clock == 1
    assert server.rows_merged == 4
    (record,) = server.history
    assert (record.worker, record.window, record.samples, record.metrics) == (0, 0, 4, (0.5,))


def test_a_center_that_was_handed_out_never_changes(server: ParameterServer) -> None:
    first = server.exchange(update(0)).vector
    server.exchange(update(1))
    assert first.tolist() == [1, 2, 3]
    assert server.center.tolist() == [2, 4, 6]


def test_a_window_that_comes_again_is_answered_and_not_merged(server: ParameterServer) -> None:
    server.join(1, 0, rows=8)
    answer = server.exchange(update(0))
    server.exchange(update(0, partition=1))
    again = server.exchange(update(0))
    assert again.vector.tolist() == answer.vector.tolist()
    assert again.staleness == answer.staleness
    assert server.center.tolist() == [2, 4, 6]
    assert server.clock == len(server.history) == 2
    assert server.rows_merged == 8


@pytest.mark.parametrize("sequence", [0, 3, 2**40])
def test_a_window_out_of_turn_is_refused(server: ParameterServer, sequence: int) -> None:
    server.exchange(update(0))
    server.exchange(update(1))
    before = server.center
    with pytest.raises(ProtocolError, match=f"worker 0 sent window {sequence}, but 2 is next"):
        server.exchange(update(sequence))
    assert server.center is before
    assert server.clock == 2


def test_a_worker_that_did_not_join_is_refused(server: ParameterServer) -> None:
    with pytest.raises(ProtocolError, match="worker 3 spoke before it joined"):
        server.exchange(update(0, partition=3))
    with pytest.raises(ProtocolError, match="worker 3"):
        server.leave(3, 0, 0.0)


def test_an_attempt_that_was_superseded_is_refused_at_every_verb(server: ParameterServer) -> None:
    server.exchange(update(0))
    server.join(0, 4, rows=8)
    message = "attempt 0 at worker 0 was superseded by 4"
    for call in (
        lambda: server.exchange(update(1)),
        lambda: server.exchange(update(0)),  # Not even from memory.
        lambda: server.join(0, 0, rows=8),
        lambda: server.leave(0, 0, 0.0),
    ):
        with pytest.raises(Superseded, match=message):
            call()
    assert server.clock == 1
    assert server.exchange(update(1, attempt=4)).staleness == 0


def test_another_number_of_rows_on_the_next_attempt_is_refused(server: ParameterServer) -> None:
    with pytest.raises(DataError, match="worker 0 found 9 rows on attempt 1, but 8 before"):
        server.join(0, 1, rows=9)
    # The attempt that is at work was not superseded by the one that was refused.
    server.exchange(update(0))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_worker_epoch_and_window(
    server: ParameterServer, bad: float
) -> None:
    server.exchange(update(0))
    before = server.center
    place = "at worker 0, epoch 2, window 1"
    with pytest.raises(TrainingDiverged, match=f"the loss became {bad} {place}"):
        server.exchange(update(1, loss=bad, epoch=2))
    with pytest.raises(TrainingDiverged, match=f"a weight became NaN or infinite {place}"):
        server.exchange(update(1, vector=[0, 0, bad], epoch=2))
    assert server.center is before
    assert server.clock == len(server.history) == 1


def test_another_metric_than_the_loss_may_be_unknown() -> None:
    server = server_of(downpour(), ("loss", "auc"))
    server.join(0, 0, rows=8)
    server.exchange(update(0)._replace(metrics=np.float32([0.5, np.nan])))
    assert server.clock == 1


@pytest.mark.parametrize("vector", [[1], [1, 2], [[1, 2, 3]], 1])
def test_a_vector_of_another_length_is_refused(server: ParameterServer, vector: object) -> None:
    with pytest.raises(ProtocolError, match=r"worker 0 sent a vector of shape .* has \(3,\)"):
        server.exchange(update(0, vector))
    assert server.clock == 0


def test_staleness_counts_the_updates_of_others_since_the_last_exchange() -> None:
    server = server_of(downpour())
    server.join(0, 0, rows=8)
    assert [server.exchange(update(n)).staleness for n in range(3)] == [0, 0, 0]
    server.join(1, 0, rows=8)  # Starts from the center as it is now.
    assert server.exchange(update(0, partition=1)).staleness == 0
    assert server.exchange(update(1, partition=1)).staleness == 0
    assert server.exchange(update(3)).staleness == 2


def test_a_rule_is_told_the_staleness_and_the_center_that_was_adopted() -> None:
    told: list[Exchange] = []

    def merge(center: Vector, sent: Vector, exchange: Exchange) -> Merged:
        told.append(exchange)
        return Merged(center + sent, center + sent)

    server = server_of(Rule("told", lambda window: window.weights, merge, lambda _, c: c))
    server.join(0, 0, rows=8)
    server.join(1, 0, rows=8)
    server.exchange(update(0))
    server.exchange(update(0, partition=1))
    server.exchange(update(1))
    assert [exchange.staleness for exchange in told] == [0, 1, 1]
    assert [exchange.adopted.tolist() for exchange in told] == [[0, 0, 0], [0, 0, 0], [1, 2, 3]]


def test_a_copy_that_comes_when_all_is_trained_and_is_ended_leaves_nothing_unfinished(
    server: ParameterServer,
) -> None:
    server.join(0, 0, rows=8)
    server.exchange(update(0))
    server.leave(0, 0, 0.0)
    assert server.join(0, 1, rows=8).sequence == 1
    assert server.unfinished == []


def test_a_worker_that_comes_back_keeps_its_staleness_and_adopted_center() -> None:
    server = server_of(aeasgd())
    server.join(0, 0, rows=8)
    server.join(1, 0, rows=8)
    server.exchange(update(0))
    server.exchange(update(0, partition=1))
    server.join(0, 1, rows=8)
    assert server.exchange(update(1, attempt=1)).staleness == 1


@every_rule
def test_a_worker_that_comes_back_gets_the_weights_it_had(rule: Rule) -> None:
    server = server_of(rule)
    start = server.join(0, 0, rows=8).weights
    if not rule.synchronous:
        server.join(1, 0, rows=8)
    weights = np.float32([1, -2, 3])
    answer = server.exchange(update(0, rule.send(Window(weights, start, 2))))
    expected = rule.adopt(weights, answer.vector)
    if not rule.synchronous:  # What others merge meanwhile is not what this worker had.
        server.exchange(update(0, [5, 5, 5], partition=1))
    welcome = server.join(0, 1, rows=8)
    assert welcome.sequence == 1
    np.testing.assert_array_equal(welcome.weights, expected)


def test_a_worker_that_comes_back_before_its_first_window_gets_the_center_of_now() -> None:
    server = server_of(downpour())
    server.join(0, 0, rows=8)
    server.join(1, 0, rows=8)
    server.exchange(update(0, partition=1))
    welcome = server.join(0, 1, rows=8)
    assert welcome.sequence == 0
    assert welcome.weights is server.center
    assert server.exchange(update(0, attempt=1)).staleness == 0


def test_where_workers_train_on_meanwhile_the_window_before_makes_an_update_staler() -> None:
    server = replace(server_of(downpour()), overlap=True)
    for worker in (0, 1, 2):
        server.join(worker, 0, rows=100)

    def staleness(worker: int, sequence: int, attempt: int = 0) -> int:
        sent = update(sequence, partition=worker, attempt=attempt)
        return server.exchange(sent).staleness

    assert [staleness(worker, 0) for worker in (0, 1, 2)] == [0, 1, 2]
    # Two since the last exchange, and as many as were missed then.
    assert [staleness(worker, 1) for worker in (0, 1, 2)] == [2, 3, 4]
    assert staleness(0, 2) == 4
    # A new attempt begins with all that the last exchange told, and then trains on as ever.
    server.join(0, 1, rows=100)
    assert [staleness(1, 2), staleness(0, 3, 1)] == [4, 1]
    assert [staleness(1, 3), staleness(0, 4, 1)] == [3, 2]


def test_a_server_that_goes_on_elsewhere_takes_no_window_for_under_way() -> None:
    server = replace(server_of(downpour()), overlap=True)
    for worker in (0, 1):
        server.join(worker, 0, rows=8)
        server.exchange(update(0, partition=worker))
    again = replace(server_of(downpour()), overlap=True)
    again.restore(server.snapshot())
    again.join(1, 0, rows=8)
    assert again.exchange(update(1, partition=1)).staleness == 0


def test_the_wait_of_an_exchange_is_known_with_the_next_one(server: ParameterServer) -> None:
    server.exchange(update(0)._replace(wait=0.0))
    server.exchange(update(1)._replace(wait=0.5))
    server.leave(0, 0, 0.75)
    assert [record.exchange_wait for record in server.history] == [0.5, 0.75]
    assert server.unfinished == []
    server.join(0, 1, rows=8)
    server.leave(0, 1, 0.0)  # This attempt has exchanged nothing.
    assert server.history[-1].exchange_wait == 0.75


def test_failures_are_kept_in_order(server: ParameterServer) -> None:
    told = [Failure(0, "ValueError", "first", ""), Failure(1, "OSError", "second", "")]
    for failure in told:
        server.fail(failure)
    assert server.failures == told


def test_a_rule_that_raises_changes_nothing() -> None:
    def merge(center: Vector, sent: Vector, exchange: Exchange) -> Merged:
        raise ZeroDivisionError

    server = server_of(Rule("broken", lambda window: window.weights, merge, lambda w, _: w))
    server.join(0, 0, rows=8)
    for _ in range(2):  # The lock is free again.
        with pytest.raises(ZeroDivisionError):
            server.exchange(update(0))
    assert server.clock == 0
    assert server.history == []


def test_eight_threads_lose_nothing() -> None:
    server, exchanges = server_of(downpour()), 200
    stale: dict[int, list[int]] = {}

    def work(worker: int) -> None:
        server.join(worker, 0, rows=exchanges)
        sent = np.zeros(3, np.float32)
        sent[worker % 3] = worker + 1
        answers = [
            server.exchange(update(n, sent, partition=worker, rows=1)) for n in range(exchanges)
        ]
        stale[worker] = [answer.staleness for answer in answers]
        server.leave(worker, 0, 0.0)

    in_threads(8, work)
    # Small whole numbers add up exactly in float32, in any order.
    each = [sum(w + 1 for w in range(8) if w % 3 == place) for place in range(3)]
    assert server.center.tolist() == [exchanges * total for total in each]
    assert server.clock == len(server.history) == server.rows_merged == 8 * exchanges
    assert server.unfinished == []
    last: dict[int, int] = {}
    for place, record in enumerate(server.history):
        # Staleness is exactly what others merged in between, for all but a worker's first.
        if record.worker in last:
            assert record.staleness == place - last[record.worker] - 1
        last[record.worker] = place
        assert stale[record.worker][record.window] == record.staleness


def test_the_same_window_from_many_threads_is_merged_once(server: ParameterServer) -> None:
    answers: list[list[float]] = []
    in_threads(8, lambda _: answers.append(server.exchange(update(0)).vector.tolist()))
    assert server.center.tolist() == [1, 2, 3]
    assert server.clock == 1
    assert answers == [[1, 2, 3]] * 8


def test_a_stop_reaches_every_worker_with_its_next_answer(server: ParameterServer) -> None:
    server.join(1, 0, rows=8)
    assert not server.exchange(update(0)).stop
    server.stop("the loss is low enough")
    server.stop("too late")
    assert server.exchange(update(1)).stop
    assert server.exchange(update(0, partition=1)).stop
    assert server.join(2, 0, rows=8).stop
    assert server.stopped == "the loss is low enough"


def test_an_answer_tells_how_many_rows_the_center_has_seen(server: ParameterServer) -> None:
    assert server.exchange(update(0)).rows == 4
    assert server.join(1, 0, rows=8).rows == 4
    assert server.exchange(update(0, partition=1)).rows == 8


def test_what_a_rule_keeps_comes_back_for_the_center_and_for_the_worker() -> None:
    def merge(center: Vector, sent: Vector, exchange: Exchange) -> Merged:
        told.append((len(exchange.state), len(exchange.memory)))
        return Merged(center, center, (*exchange.state, sent), (*exchange.memory, sent))

    told: list[tuple[int, int]] = []
    server = server_of(replace(downpour(), merge=merge))
    for worker in range(2):
        server.join(worker, 0, rows=8)
    server.exchange(update(0))
    server.exchange(update(0, partition=1))
    server.join(0, 1, rows=8)  # A retry forgets nothing.
    server.exchange(update(1, attempt=1))
    assert told == [(0, 0), (1, 0), (2, 1)]
