"""Exchanging while the next window is trained: what is computed, and the thread's end."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pytest

from distkeras.conversation import Answer, Update
from distkeras.errors import ExchangeTimeout, Superseded, TrainingDiverged
from distkeras.logs import about
from distkeras.overlap import Overlapping
from distkeras.rules import RULES, Rule, adag, aeasgd, downpour, dynsgd
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.transport import inproc
from distkeras.transport.client import TcpChannel
from distkeras.transport.tcp import TcpServer
from distkeras.vectors import Vector
from distkeras.worker import Assignment, Trained, WindowRunner, Worker
from tests.linear import WIDTH, LinearReplica, Table, server_of
from tests.transport.peers import PATIENCE, TOKEN

#: Three windows of two mini-batches.
THREE = Schedule(batch_size=2, window=2, epochs=1, seed=0)
FIRST = Assignment(0, 0)


@dataclass
class Halving:
    """Trains by W <- W / 2 + 10, and keeps what it began with."""

    starts: list[float] = field(default_factory=list)
    clocks: list[int] = field(default_factory=list)

    def run(self, weights: Vector, rows: Mapping[str, np.ndarray], clock: int = 0) -> Trained:
        self.starts.append(float(weights[0]))
        self.clocks.append(clock)
        return Trained(weights / np.float32(2) + np.float32(10), np.float32([1]))


class Other:
    """A channel that has another worker merge a vector before each window."""

    def __init__(self, server: ParameterServer, *vectors: float) -> None:
        self._server = server
        self._vectors = vectors
        self.join, self.leave = server.join, server.leave
        self.sent: list[float] = []
        server.join(1, 0, 100)

    def exchange(self, update: Update) -> Answer:
        vector = np.float32([self._vectors[update.sequence]])
        self._server.exchange(update._replace(partition=1, vector=vector))
        self.sent.append(float(update.vector[0]))
        return self._server.exchange(update)


class Expected(NamedTuple):
    """Computed by hand from the equations in ``distkeras.overlap``."""

    starts: list[float]
    sent: list[float]
    center: float


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # c: 4 + 10 = 14; V = 14 + (15 - 10) = 19, sent 5; c: 16 + 5 = 21;
        # V = 21 + (19.5 - 19) = 21.5, sent 0.5; c: 15 + 0.5.
        (downpour(), Expected([0, 10, 19], [10, 5, 0.5], 15.5)),
        # The same, but half of each difference is sent: c: 4 + 5 = 9; V = 9 + 5 = 14;
        # c: 11 + 2.5 = 13.5; V = 13.5 + (17 - 14) = 16.5; c: 7.5 + 1.5.
        (adag(), Expected([0, 10, 14], [5, 2.5, 1.5], 9)),
        # alpha = 1/2, the other's vectors are weights. c: 2, E = 4, c = 6; V = 6 + 5 = 11;
        # c: 4, E = 3.5, c = 7.5; V = 7.5 + (15.5 - 11) = 12; c: 0.75, E = 5.625.
        (aeasgd(5.0, 0.1), Expected([0, 10, 11], [10, 11, 12], 6.375)),
        # tau is 1, then 2 and 2; the other's is 0, 1 and 2. c: 4 + 10/2 = 9; V = 9 + 5 = 14;
        # c: 10 + 5/3; V = 35/3 + 3; c: 35/3 - 2 + 3/3.
        (dynsgd(), Expected([0, 10, 14], [10, 5, 3], 32 / 3)),
    ],
    ids=lambda case: case.name if isinstance(case, Rule) else "",
)
def test_three_windows_by_hand(rule: Rule, expected: Expected) -> None:
    server = ParameterServer(np.zeros(1, np.float32), rule, workers=2, overlap=True)
    replica, channel = Halving(), Other(server, 4, 2, -6)
    worker = Worker(FIRST, Table(12), replica, rule, THREE)
    assert worker.train(channel, overlap=True) == 3
    assert replica.starts == expected.starts
    np.testing.assert_allclose(channel.sent, expected.sent, rtol=1e-6)
    np.testing.assert_allclose(server.center, [expected.center], rtol=1e-6)
    assert [one.staleness for one in server.history if one.worker == 0] == [1, 2, 2]
    assert server.unfinished == [1]


def trained(server: ParameterServer, overlap: bool, rows: int = 50, window: int = 3) -> None:
    worker = Worker(FIRST, Table(rows), LinearReplica(4), server.rule, Schedule(4, window, 2, 3))
    with inproc.connect(server) as channel:
        worker.train(channel, overlap)


def test_alone_downpour_learns_the_same_with_overlap() -> None:
    plain, overlapped = server_of(downpour()), server_of(downpour())
    trained(plain, overlap=False)
    trained(overlapped, overlap=True)
    np.testing.assert_allclose(overlapped.center, plain.center, rtol=1e-5)


@pytest.mark.parametrize("rows", [4, 13])
def test_the_only_window_is_exchanged_as_without_overlap(rows: int) -> None:
    plain, overlapped = server_of(adag()), server_of(adag())
    trained(plain, overlap=False, rows=rows, window=100)
    trained(overlapped, overlap=True, rows=rows, window=100)
    np.testing.assert_array_equal(overlapped.center, plain.center)
    assert (overlapped.clock, overlapped.unfinished) == (1, [])


def test_the_clock_of_the_replica_counts_what_is_on_its_way() -> None:
    clocks = []
    for overlap in (False, True):
        server, replica = server_of(downpour()), Halving()
        worker = Worker(FIRST, Table(16), replica, server.rule, Schedule(2, 2, 2, 0))
        with inproc.connect(server) as channel:
            worker.train(channel, overlap)
        clocks.append(replica.clocks)
    assert clocks[0] == clocks[1] == [0, 2, 4, 6, 8, 10, 12, 14]


def test_a_later_attempt_goes_on_after_the_last_merged_window() -> None:
    server = server_of(aeasgd())
    first = Worker(FIRST, Table(50), LinearReplica(4), server.rule, Schedule(4, 3, 2, 3))
    first.start(server.join(0, 0, 50))
    assert first.window()
    update = first.update()
    answer = server.exchange(update)
    assert first.window()  # Trained while the first was exchanged, and lost.
    expected = server.rule.adopt(update.vector, answer.vector)
    welcome = server.join(0, 1, 50)
    assert welcome.sequence == 1
    np.testing.assert_array_equal(welcome.weights, expected)


def test_the_next_window_is_trained_while_the_server_holds_the_one_before() -> None:
    both, done = (threading.Barrier(2, timeout=PATIENCE) for _ in "ab")

    class Meeting(LinearReplica):
        windows = 0

        def run(self, weights: Vector, rows: Mapping[str, np.ndarray], clock: int = 0) -> Trained:
            Meeting.windows += 1
            if Meeting.windows == 2:
                both.wait()  # The exchange of the first window has begun,
            result = super().run(weights, rows, clock)
            if Meeting.windows == 2:
                done.wait()  # and goes on only when the second is trained.
            return result

    class Slow(ParameterServer):
        def exchange(self, update: Update, waiting: Callable[[], None] = lambda: None) -> Answer:
            if update.sequence == 0:
                both.wait()
                done.wait()
            return super().exchange(update, waiting)

    server = Slow(np.zeros(WIDTH, np.float32), adag(), overlap=True)
    with connected(server) as channel:
        Worker(FIRST, Table(12), Meeting(4), server.rule, THREE).train(channel, overlap=True)
    assert server.rows_merged == 12


@contextmanager
def connected(server: ParameterServer, timeout: float = PATIENCE) -> Iterator[TcpChannel]:
    """A channel over a real socket; nobody is left of the worker when it is closed."""
    with TcpServer(server, TOKEN) as tcp, TcpChannel(tcp.address, TOKEN, WIDTH, timeout) as channel:
        yield channel


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "distkeras-exchange"]


class Held(ParameterServer):
    """Lets no exchange through until it is told to."""

    def hold(self) -> Held:
        self.reached, self.released = threading.Event(), threading.Event()
        return self

    def exchange(self, update: Update, waiting: Callable[[], None] = lambda: None) -> Answer:
        self.reached.set()
        assert self.released.wait(PATIENCE)
        return super().exchange(update, waiting)


@dataclass
class Failing:
    """Trains, and does something else in the window of this number."""

    window: int
    instead: Callable[[], None]
    seen: int = 0

    def run(self, weights: Vector, rows: Mapping[str, np.ndarray], clock: int = 0) -> Trained:
        if self.seen == self.window:
            self.instead()
        self.seen += 1
        return Trained(weights + np.float32(1), np.float32([1]))


def failing(problem: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise problem

    return fail


def work(channel: TcpChannel, rule: Rule, replica: WindowRunner, attempt: int = 0) -> int:
    schedule, who = Schedule(batch_size=2, window=2, epochs=3, seed=0), Assignment(0, attempt)
    return Worker(who, Table(12), replica, rule, schedule).train(channel, overlap=True)


def test_a_window_that_fails_ends_the_thread_when_its_exchange_is_done() -> None:
    server = server_of(downpour())
    with connected(server) as channel:
        with pytest.raises(KeyError, match="in the window"):
            work(channel, server.rule, Failing(2, failing(KeyError("in the window"))))
        assert threads() == []
        assert server.clock == 2
        # The channel is as good as before, for whoever reports the failure; the next attempt
        # does what is left.
        assert work(channel, server.rule, LinearReplica(2), attempt=1) == 7
    assert server.rows_merged == 3 * 12
    assert [one.window for one in server.history] == list(range(9))


def test_an_exchange_that_is_refused_is_raised_as_it_was_in_the_thread() -> None:
    server = server_of(downpour())

    def supersede() -> None:
        server.join(0, 7, 12)

    with connected(server) as channel:
        with pytest.raises(Superseded, match="superseded by 7") as raised:
            work(channel, server.rule, Failing(1, supersede))
        assert threads() == []
    places = [frame.name for frame in traceback.extract_tb(raised.tb)]
    assert {"train", "_exchange", "exchange", "_call"} <= set(places)


def test_when_both_fail_the_window_is_raised_and_the_exchange_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Held(np.zeros(WIDTH, np.float32), downpour()).hold()

    def fail() -> None:
        server.join(0, 7, 12)
        server.released.set()
        raise KeyError("in the window")

    with caplog.at_level("INFO", "distkeras.overlap"), connected(server) as channel:
        with about(worker=5), pytest.raises(KeyError, match="in the window"):
            work(channel, server.rule, Failing(1, fail))
        assert threads() == []
    (record,) = (one for one in caplog.records if one.name == "distkeras.overlap")
    assert record.getMessage().startswith("worker=5 its exchange failed, too: Superseded: attempt")


def test_a_loss_that_is_not_a_number_ends_the_worker_one_window_later() -> None:
    server = server_of(downpour())

    @dataclass
    class Diverging:
        windows: int = 0

        def run(self, weights: Vector, rows: Mapping[str, np.ndarray], clock: int = 0) -> Trained:
            self.windows += 1
            return Trained(weights + np.float32(np.inf), np.float32([np.nan]))

    replica = Diverging()
    with connected(server) as channel, pytest.raises(TrainingDiverged, match="window 0"):
        work(channel, server.rule, replica)
    assert threads() == []
    assert (replica.windows, server.clock) == (2, 0)


def test_a_server_that_says_nothing_is_waited_for_until_the_deadline() -> None:
    server = Held(np.zeros(WIDTH, np.float32), downpour()).hold()
    with connected(server, timeout=0.5) as channel:
        with pytest.raises(ExchangeTimeout, match=r"within 0\.5 s"):
            work(channel, server.rule, Failing(-1, lambda: None))
        assert threads() == []
        server.released.set()


def interrupting(server: Held) -> threading.Thread:
    """Sends this process Ctrl-C's signal as soon as the server has a window."""

    def interrupt() -> None:
        assert server.reached.wait(PATIENCE)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    return thread


def wait_for(event: threading.Event) -> Callable[[], None]:
    """A window that takes until then; interrupted, it ends like any other Python code."""

    def wait() -> None:
        assert event.wait(PATIENCE)

    return wait


@pytest.mark.parametrize("place", ["in the window", "while it waits", "after the window failed"])
def test_ctrl_c_ends_the_thread_though_the_server_does_not_answer(place: str) -> None:
    server = Held(np.zeros(WIDTH, np.float32), downpour()).hold()
    instead = {
        "in the window": wait_for(server.released),
        "while it waits": lambda: None,
        "after the window failed": failing(KeyError("in the window")),
    }[place]
    with connected(server) as channel:
        sender = interrupting(server)
        with pytest.raises(KeyboardInterrupt):
            work(channel, server.rule, Failing(1, instead))
        sender.join()
        assert not server.released.is_set()
        assert threads() == []
        # What was given up stays given up.
        with pytest.raises(OSError, match="was given up"):
            channel.leave(0, 0, 0.0)
        server.released.set()


def test_an_abort_while_the_channel_connects_again_ends_the_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = server_of(downpour())
    with TcpServer(server, TOKEN) as tcp:
        channel = TcpChannel(tcp.address, TOKEN, WIDTH, PATIENCE)
        channel.join(0, 0, 12)
    # The server is gone: the exchange tries again and again.
    with channel:
        party = Worker(FIRST, Table(12), LinearReplica(4), server.rule, THREE)
        party.start(server.join(0, 0, 12))
        assert party.window()
        with (
            caplog.at_level("INFO", "distkeras.transport.client"),
            about(worker=5),
            pytest.raises(KeyboardInterrupt),
        ):
            interrupted(channel, party, lambda: "trying again" in caplog.text)
        assert threads() == []
    # What the thread logs is about its worker.
    assert "worker=5 lost the parameter server at" in caplog.text


def interrupted(channel: TcpChannel, party: Worker, when: Callable[[], bool]) -> None:
    with Overlapping(channel) as exchanges:
        exchanges.following(party)
        deadline = time.monotonic() + PATIENCE
        while not when():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        raise KeyboardInterrupt


def test_a_worker_that_is_asked_to_stop_sends_what_it_has_begun_and_leaves() -> None:
    server = server_of(downpour())
    replica = Failing(2, lambda: server.stop("enough"))
    with connected(server) as channel:
        work(channel, server.rule, replica)
    assert threads() == []
    assert server.unfinished == []
    # The third window was begun, and perhaps a fourth: the second's answer may not have known.
    assert server.clock in (3, 4)
    assert server.clock == replica.seen
    assert server.rows_merged == 4 * server.clock


def test_the_last_answer_is_there_before_the_worker_says_that_it_has_finished() -> None:
    server = server_of(downpour())
    told: list[int] = []

    class Listening:
        def before(self, step: object) -> None: ...
        def after(self, step: object, trained: object) -> None: ...
        def finished(self) -> None:
            told.append(server.clock)

    with connected(server) as channel:
        Worker(FIRST, Table(12), LinearReplica(4), server.rule, THREE, Listening()).train(
            channel, overlap=True
        )
    assert told == [3]
    assert threads() == []


@pytest.mark.parametrize("name", ["ADAG", "AEASGD", "DOWNPOUR", "DynSGD", "Experimental", "GEM"])
def test_every_asynchronous_rule_learns_with_overlap(name: str) -> None:
    server = replace(server_of(RULES[name]()), workers=2, overlap=True)
    schedule = Schedule(8, 4, 20, 0)
    workers = [
        Worker(Assignment(number, 0), Table(200, number), LinearReplica(8), server.rule, schedule)
        for number in range(2)
    ]
    for number, worker in enumerate(workers):
        worker.start(server.join(number, 0, 200))
    for worker in workers:
        worker.window()
    # In turns, each with a window ahead of its exchange: the same each time.
    while workers:
        for worker in list(workers):
            update = worker.update()
            answer = server.exchange(update)
            more = worker.window()
            worker.adopt(answer, 0.0)
            if not more:
                workers.remove(worker)
    np.testing.assert_allclose(server.center, [1, 2, 3], atol=0.3)
