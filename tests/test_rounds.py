"""Synchronous rules: the server merges a round when every worker has sent its window."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from distkeras.errors import ExchangeTimeout, Superseded, TrainingError
from distkeras.rules import downpour
from distkeras.server import ParameterServer
from distkeras.transport.client import TcpChannel
from distkeras.transport.tcp import TcpServer
from tests.linear import WIDTH, in_threads, update
from tests.transport.peers import TOKEN


@pytest.fixture
def rounds() -> ParameterServer:
    """A synchronous server; two workers of 8 rows have joined."""
    made = ParameterServer(
        np.zeros(WIDTH, np.float32), replace(downpour(), synchronous=True), workers=2, timeout=0.2
    )
    for worker in range(2):
        made.join(worker, 0, rows=8)
    return made


def test_a_round_is_merged_when_the_last_window_comes(rounds: ParameterServer) -> None:
    assert rounds.offer(update(0, [2, 0, 0])) is None
    assert rounds.offer(update(0, [2, 0, 0])) is None  # Asked again, not sent twice.
    assert (rounds.clock, rounds.rows_merged, rounds.history) == (0, 0, [])
    second = rounds.offer(update(0, [4, 2, 0], partition=1))
    first = rounds.offer(update(0, [2, 0, 0]))
    assert first is not None
    assert second is not None
    assert first.vector.tolist() == second.vector.tolist() == [3, 1, 0]
    assert rounds.center.tolist() == [3, 1, 0]
    assert (rounds.clock, rounds.rows_merged, first.rows) == (2, 8, 8)
    assert [record.worker for record in rounds.history] == [0, 1]


def test_a_round_goes_on_without_a_worker_that_has_left(rounds: ParameterServer) -> None:
    assert rounds.offer(update(0, [2, 0, 0])) is None
    rounds.leave(1, 0, 0.0)
    answer = rounds.offer(update(0, [2, 0, 0]))
    assert answer is not None
    assert rounds.center.tolist() == [2, 0, 0]


def test_a_round_waits_for_a_worker_that_never_joined_and_names_it() -> None:
    server = ParameterServer(
        np.zeros(WIDTH, np.float32), replace(downpour(), synchronous=True), workers=3, timeout=0.2
    )
    server.join(0, 0, rows=8)
    signs: list[int] = []
    with pytest.raises(
        ExchangeTimeout, match=r"worker 0 waited 0\.2 s for a window of the workers 1, 2; .* all 3"
    ):
        server.exchange(update(0), lambda: signs.append(1))
    assert server.clock == 0


def test_the_next_attempt_takes_the_place_of_the_first_in_a_round(rounds: ParameterServer) -> None:
    assert rounds.offer(update(0, [2, 0, 0])) is None
    assert rounds.join(0, 1, rows=8).sequence == 0
    with pytest.raises(Superseded):
        rounds.offer(update(0, [2, 0, 0]))
    assert rounds.offer(update(0, [6, 0, 0], attempt=1)) is None
    rounds.offer(update(0, [0, 0, 0], partition=1))
    assert rounds.center.tolist() == [3, 0, 0]
    assert rounds.rows_merged == 8


def test_a_window_that_waits_goes_with_its_attempt(rounds: ParameterServer) -> None:
    assert rounds.offer(update(0, [2, 0, 0])) is None
    assert rounds.join(0, 1, rows=8).sequence == 0
    # The new attempt was told to send it, so nobody may merge the old one's meanwhile.
    assert rounds.offer(update(0, [4, 0, 0], partition=1)) is None
    assert rounds.clock == 0
    assert rounds.offer(update(0, [6, 0, 0], attempt=1)) is not None
    assert rounds.center.tolist() == [5, 0, 0]


def test_the_mean_of_a_round_does_not_depend_on_who_came_first() -> None:
    vectors = np.random.default_rng(0).normal(size=(5, WIDTH)).astype(np.float32) * 1e3
    centers = []
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 1, 3]):
        rule = replace(downpour(), synchronous=True)
        server = ParameterServer(np.zeros(WIDTH, np.float32), rule, workers=5)
        for worker in order:
            server.join(worker, 0, rows=8)
        for worker in order:
            server.offer(update(0, vectors[worker], partition=worker))
        centers.append(server.center.tolist())
    assert centers[0] == centers[1]


def test_workers_in_threads_wait_for_each_other() -> None:
    rule = replace(downpour(), synchronous=True)
    server = ParameterServer(np.zeros(WIDTH, np.float32), rule, workers=4)

    def work(worker: int) -> None:
        server.join(worker, 0, rows=50)
        # A worker with fewer windows leaves the rounds to the others.
        for n in range(50 - worker):
            answer = server.exchange(update(n, [worker, 0, 1], partition=worker))
            assert answer.vector[2] == n + 1
        server.leave(worker, 0, 0.0)

    in_threads(4, work)
    assert server.clock == 50 + 49 + 48 + 47
    assert server.center[2] == 50


def test_closing_ends_the_wait_for_others(rounds: ParameterServer) -> None:
    rounds.timeout = 60.0
    raised: list[TrainingError] = []

    def waits() -> None:
        try:
            rounds.exchange(update(0), lambda: None)
        except TrainingError as error:
            raised.append(error)

    thread = threading.Thread(target=waits)
    thread.start()
    rounds.close()
    thread.join()
    assert [str(error) for error in raised] == ["the run ended while worker 0 waited"]


def test_a_stop_within_a_round_reaches_the_whole_round(rounds: ParameterServer) -> None:
    rounds.offer(update(0))
    rounds.offer(update(0, partition=1))
    rounds.stop("enough")
    again = rounds.offer(update(0))  # This round was merged before.
    assert again is not None
    assert not again.stop
    rounds.offer(update(1))
    last = [rounds.offer(update(1, partition=worker)) for worker in (1, 0)]
    assert [answer.stop for answer in last if answer] == [True, True]


def test_a_worker_that_waits_for_others_over_tcp_is_told_so_and_does_not_give_up(
    rounds: ParameterServer,
) -> None:
    rounds.timeout, rounds.patience = 60.0, 0.05
    answers: list[list[float]] = []

    def waits(address: tuple[str, int]) -> None:
        with TcpChannel(address, TOKEN, WIDTH, timeout=1.0) as channel:
            answers.append(channel.exchange(update(0, [2, 0, 0])).vector.tolist())

    with TcpServer(rounds, TOKEN) as tcp:
        thread = threading.Thread(target=waits, args=(tcp.address,))
        thread.start()
        thread.join(2.5)  # Well beyond the deadline of the worker.
        assert thread.is_alive()
        rounds.offer(update(0, [0, 0, 0], partition=1))
        thread.join()
    assert answers == [[1, 0, 0]]


def test_a_round_that_never_ends_is_an_error_on_the_worker_that_waits(
    rounds: ParameterServer,
) -> None:
    with (
        TcpServer(rounds, TOKEN) as tcp,
        TcpChannel(tcp.address, TOKEN, WIDTH) as channel,
        pytest.raises(ExchangeTimeout, match="window of the workers 1; DOWNPOUR needs all 2"),
    ):
        channel.exchange(update(0))


def test_the_end_of_the_server_takes_those_along_who_wait(rounds: ParameterServer) -> None:
    rounds.timeout = 60.0
    raised: list[TrainingError] = []

    def waits(address: tuple[str, int]) -> None:
        with TcpChannel(address, TOKEN, WIDTH, timeout=0.5) as channel:
            try:
                channel.exchange(update(0))
            except TrainingError as error:
                raised.append(error)

    with TcpServer(rounds, TOKEN) as tcp:
        thread = threading.Thread(target=waits, args=(tcp.address,))
        thread.start()
        while not rounds._members.waiting():
            thread.join(0.01)
    thread.join()
    assert len(raised) == 1
