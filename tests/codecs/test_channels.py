"""Every codec over real sockets and in simulation: the same center, and each window once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distkeras.codecs import CODECS, RAW, Codec, bfloat16, int8, top_k
from distkeras.engines.conditions import Breakdown, Conditions, Constant, Exponential
from distkeras.engines.simulated import Simulation
from distkeras.errors import ProtocolError
from distkeras.rules import RULES, downpour
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.transport.client import TcpChannel
from distkeras.transport.tcp import TcpServer
from distkeras.worker import Assignment, train
from tests.linear import WIDTH, LinearReplica, Table, server_of, update
from tests.transport.peers import PATIENCE, TOKEN

ALL = [make() for make in CODECS.values()]
LOSSY = [codec for codec in ALL if codec.lossy]
each = pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
each_rule = pytest.mark.parametrize("name", RULES)
SCHEDULE = Schedule(batch_size=4, window=3, epochs=2, seed=3)
WINDOWS = 9


def serving(name: str, codec: Codec, workers: int = 1) -> ParameterServer:
    server = server_of(RULES[name]())
    server.codec, server.workers = codec, workers
    return server


def simulated(
    name: str, codec: Codec, workers: int, conditions: Conditions | None = None
) -> ParameterServer:
    server = serving(name, codec, workers)
    shards = [Table(50, seed) for seed in range(workers)]
    replica = LinearReplica(4)
    conditions = conditions or Conditions()
    Simulation(server, SCHEDULE, shards, lambda *_: replica, conditions).run()
    return server


@each
@each_rule
def test_sockets_and_simulation_give_the_same_center(name: str, codec: Codec) -> None:
    server = serving(name, codec)
    with (
        TcpServer(server, TOKEN) as tcp,
        TcpChannel(tcp.address, TOKEN, WIDTH, PATIENCE, codec=codec) as channel,
    ):
        train(Assignment(0, 0), Table(50), LinearReplica(4), channel, server.rule, SCHEDULE)
    np.testing.assert_array_equal(simulated(name, codec, 1).center, server.center)
    assert server.clock == WINDOWS
    assert server.unfinished == []


breakdowns = st.lists(
    st.builds(Breakdown, st.integers(0, 2), st.floats(0, 30), st.floats(0, 5)), max_size=6
)


@settings(max_examples=100)
@given(
    st.sampled_from(sorted(set(RULES) - {"Single"})),
    st.sampled_from(LOSSY),
    breakdowns,
    st.sampled_from([0.0, 0.25]),
)
def test_each_window_is_merged_once_whoever_breaks_down(
    name: str, codec: Codec, when: list[Breakdown], delay: float
) -> None:
    broken = Conditions(delay=Constant(delay), breakdowns=tuple(when))
    server = simulated(name, codec, 3, broken)
    assert server.rows_merged == 3 * 50 * 2
    assert server.unfinished == []
    windows = sorted((record.worker, record.window) for record in server.history)
    assert windows == [(worker, window) for worker in range(3) for window in range(WINDOWS)]


@each
@pytest.mark.parametrize("name", ["ADAG", "AEASGD", "Averaging"])
def test_the_same_seeds_give_the_same_center(name: str, codec: Codec) -> None:
    noisy = Conditions(
        Exponential(1.0), {1: 3.0}, Exponential(0.1), (Breakdown(0, 9.0, 2.0),), seed=5
    )
    first, again = (simulated(name, codec, 3, noisy) for _ in range(2))
    np.testing.assert_array_equal(first.center, again.center)
    assert first.history == again.history


@pytest.mark.parametrize("codec", LOSSY, ids=lambda codec: codec.name)
@pytest.mark.parametrize("name", sorted(set(RULES) - {"Ensemble", "Single"}))
def test_every_rule_learns_with_every_codec(name: str, codec: Codec) -> None:
    server = serving(name, codec, 2)
    shards = [Table(200, seed) for seed in range(2)]
    schedule, replica = Schedule(8, 4, 20, 0), LinearReplica(8)
    Simulation(server, schedule, shards, lambda *_: replica, Conditions()).run()
    np.testing.assert_allclose(server.center, [1, 2, 3], atol=0.3)


@pytest.mark.parametrize(
    ("mine", "theirs", "complaint"),
    [
        (bfloat16(), int8(), "worker 0 sent UPDATE with the codec bfloat16, not int8"),
        (int8(), RAW, "worker 0 sent UPDATE with the codec int8, not none"),
        (RAW, top_k(), "worker 0 sent UPDATE with the codec none, not top-k"),
        (top_k(0.5), top_k(), "worker 0 sent 20 bytes, not 12: its model is not the server's"),
    ],
    ids=lambda one: one.name if isinstance(one, Codec) else "",
)
def test_another_codec_is_refused(mine: Codec, theirs: Codec, complaint: str) -> None:
    server = server_of(downpour())
    server.codec = theirs
    with (
        TcpServer(server, TOKEN) as tcp,
        TcpChannel(tcp.address, TOKEN, WIDTH, PATIENCE, codec=mine) as channel,
    ):
        channel.join(0, 0, 8)
        window = update(0)
        with pytest.raises(ProtocolError, match=complaint):
            channel.exchange(window._replace(buffer=mine.encode(window.vector)))
    assert server.clock == 0
