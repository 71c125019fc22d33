"""Worker and server with a lossy codec: they agree, and what is lost is sent later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from distkeras.checkpoints.content import Saved, pack, unpack
from distkeras.codecs import CODECS, Codec, bfloat16, top_k
from distkeras.codecs.sides import WorkerSide
from distkeras.errors import TrainingDiverged
from distkeras.rules import RULES, Window, averaging, downpour
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.vectors import Vector
from distkeras.worker import Assignment, Rows, Trained, Worker
from tests.linear import LinearReplica, Table, server_of, update

LOSSY = [make() for make in CODECS.values() if make().lossy]
each = pytest.mark.parametrize("codec", LOSSY, ids=lambda codec: codec.name)
each_rule = pytest.mark.parametrize("name", RULES)
SCHEDULE = Schedule(batch_size=4, window=2, epochs=1, seed=3)


def serving(name: str, codec: Codec) -> ParameterServer:
    server = server_of(RULES[name]())
    server.codec = codec
    return server


@dataclass(frozen=True)
class Recording:
    """A replica that keeps the weights from which each window starts."""

    replica: LinearReplica
    starts: list[Vector] = field(default_factory=list)

    def run(self, weights: Vector, rows: Mapping[str, np.ndarray], clock: int = 0) -> Trained:
        self.starts.append(weights)
        return self.replica.run(weights, rows, clock)


@each
@each_rule
def test_the_server_knows_the_workers_weights_bit_for_bit(name: str, codec: Codec) -> None:
    server = serving(name, codec)
    replica, known = Recording(LinearReplica(4)), []
    worker = Worker(Assignment(0, 0), Table(50), replica, server.rule, SCHEDULE)
    worker.start(server.join(0, 0, 50))
    while worker.window():
        window = worker.update()
        worker.adopt(server.exchange(window), 0.1)
        known.append(server.workers_weights()[0])
        if not server.rule.synchronous:  # Another one, so that the center is not this worker's.
            server.join(1, 0, 50)
            server.exchange(update(window.sequence, (0.5, -1, 0.25), partition=1))
        # What a new attempt is told is what the old one goes on from.
        np.testing.assert_array_equal(server.join(0, 0, 50).weights, known[-1])
    np.testing.assert_array_equal(replica.starts[1:], known[:-1])
    assert len(known) == 7


@each
@each_rule
def test_what_is_asked_twice_is_answered_with_the_same_bytes(name: str, codec: Codec) -> None:
    server = serving(name, codec)
    server.join(0, 0, 8)
    first = server.exchange(update(0))
    center = server.center
    again = server.exchange(update(0))
    assert server.center is center
    assert again.buffer is not None
    assert again.buffer.tobytes() == first.buffer.tobytes()
    arrived = codec.answers.unpack(again.buffer, len(center))
    np.testing.assert_array_equal(again.vector, arrived)


@each
@pytest.mark.parametrize("name", ["DOWNPOUR", "AEASGD"])
def test_a_welcome_that_was_lost_comes_again(name: str, codec: Codec) -> None:
    server = serving(name, codec)
    first = server.join(0, 0, 8).weights
    server.join(1, 0, 8)
    server.exchange(update(0, partition=1))
    np.testing.assert_array_equal(server.join(0, 0, 8).weights, first)
    # The next attempt is a worker of its own, and starts from the center.
    np.testing.assert_array_equal(server.join(0, 1, 8).weights, server.center)


@each
@each_rule
def test_a_checkpoint_keeps_what_both_sides_know(name: str, codec: Codec) -> None:
    server = serving(name, codec)
    server.join(0, 0, 8)
    server.exchange(update(0))
    found = unpack(pack(Saved({}, server.snapshot()))).snapshot
    other = serving(name, codec)
    other.restore(found)
    np.testing.assert_array_equal(other.join(0, 0, 8).weights, server.join(0, 1, 8).weights)
    other.exchange(update(1))
    server.exchange(update(1, attempt=1))
    np.testing.assert_array_equal(other.center, server.center)


@each
def test_what_is_lost_is_sent_with_later_windows(codec: Codec) -> None:
    learned = np.random.default_rng(0).normal(size=40).astype(np.float32)
    nothing = np.zeros(40, np.float32)
    side = WorkerSide(downpour(), codec, nothing)
    arrived, _ = side.send(Window(learned, nothing, 1))
    assert np.abs(learned - arrived).max() > 1e-4
    for _ in range(50):
        more, _ = side.send(Window(nothing, nothing, 1))
        arrived = arrived + more
    np.testing.assert_allclose(arrived, learned, rtol=1e-6)


@each
@pytest.mark.parametrize("name", ["Averaging", "AEASGD", "EASGD", "DOWNPOUR", "Single"])
def test_steps_far_below_the_weights_are_not_rounded_away(name: str, codec: Codec) -> None:
    start = np.full(3, 1000, np.float32)
    server = serving(name, codec)
    server.center = start
    weights = server.join(0, 0, 10**6).weights
    side = WorkerSide(server.rule, codec, weights)
    for sequence in range(300):
        # A bfloat16 near 1,000 is a multiple of 4.
        trained = weights + np.float32(1e-2)
        vector, _ = side.send(Window(trained, weights, 1))
        weights = side.adopt(trained, server.exchange(update(sequence, vector)).vector)
    plain = trained_plainly(name, start)
    np.testing.assert_allclose(server.center - start, plain, rtol=0.05)


def trained_plainly(name: str, start: Vector) -> Vector:
    """How far the center moves in 300 windows without a codec."""
    server = server_of(RULES[name]())
    server.center = start
    weights = server.join(0, 0, 10**6).weights
    for sequence in range(300):
        trained = weights + np.float32(1e-2)
        sent = server.rule.send(Window(trained, weights, 1))
        weights = server.rule.adopt(trained, server.exchange(update(sequence, sent)).vector)
    return server.center - start


class Uneven:
    """Rows whose least squares are (1, 3), but whose first feature has by far the larger errors."""

    def __init__(self) -> None:
        self._sign = 1

    def __len__(self) -> int:
        return 2

    def take(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        self._sign = -self._sign
        return {"x": np.eye(2, dtype="f4"), "y": np.float32([1 + 30 * self._sign, 3])}


def learned(codec: Codec, rows: Rows, windows: int, forgets: bool) -> Vector:
    """The mean of the last centers; who forgets starts a new attempt for each window."""
    server = ParameterServer(np.zeros(2, np.float32), downpour(), codec=codec)
    schedule, replica = Schedule(2, 1, windows, 0), LinearReplica(2, rate=0.03)
    centers = []
    for window in range(windows):
        if forgets or not window:
            worker = Worker(Assignment(0, window), rows, replica, server.rule, schedule)
            worker.start(server.join(0, window, 2))
        assert worker.window()
        worker.adopt(server.exchange(worker.update()), 0.1)
        centers.append(server.center)
    return np.mean(centers[-300:], axis=0)


def test_top_k_finds_the_known_answer_because_it_keeps_what_it_does_not_send() -> None:
    codec = top_k(0.5)  # One of two weights.
    np.testing.assert_allclose(learned(codec, Uneven(), 1000, forgets=False), [1, 3], atol=0.15)
    first, second = learned(codec, Uneven(), 400, forgets=True)
    assert first == pytest.approx(1, abs=0.15)
    assert second == 0  # Never the largest, so never sent.


def test_a_worker_that_diverges_is_told_so() -> None:
    for codec in LOSSY:
        server = serving("AEASGD", codec)
        start = server.join(0, 0, 8).weights
        side = WorkerSide(server.rule, codec, start)
        vector, _ = side.send(Window(np.float32([1, np.inf, 2]), start, 1))
        with pytest.raises(TrainingDiverged, match="a weight became NaN or infinite at worker 0"):
            server.exchange(update(0, vector))
        assert server.clock == 0


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("rule", [averaging(), downpour()], ids=lambda rule: rule.name)
def test_weights_beyond_float32_change_nothing(rule: object) -> None:
    server = server_of(rule)  # type: ignore[arg-type]
    server.codec, server.center = bfloat16(), np.full(3, 3e38, np.float32)
    server.join(0, 0, 8)
    before = server.center
    with pytest.raises(TrainingDiverged):
        server.exchange(update(0, (3e38, 0, 0)))
    assert server.center is before
