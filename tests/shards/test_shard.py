"""A shard on its own: what it merges, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from distkeras.errors import DistkerasError, ProtocolError, Superseded, TrainingDiverged
from distkeras.messages import Header, Kind
from distkeras.rules import downpour
from distkeras.server import ParameterServer
from distkeras.shards.channel import Line, ShardChannel
from distkeras.shards.port import ShardServer
from distkeras.shards.shard import Shard
from tests.linear import WIDTH, update
from tests.transport.peers import PATIENCE, TOKEN


@pytest.fixture
def shard() -> Shard:
    made = Shard(ParameterServer(np.zeros(WIDTH, np.float32), downpour(), workers=2))
    made.join(0, 0, 8, 0)
    return made


@pytest.fixture
def rounds() -> Shard:
    rule = replace(downpour(), synchronous=True)
    made = Shard(ParameterServer(np.zeros(WIDTH, np.float32), rule, workers=2))
    for worker in range(2):
        made.join(worker, 0, 8, 0)
    return made


def center(shard: Shard) -> list[float]:
    return shard.server.center.tolist()


def test_a_window_is_merged_when_it_is_counted_and_once(shard: Shard) -> None:
    for _ in range(2):
        shard.keep(update(0))
    assert center(shard) == [0, 0, 0]
    for _ in range(2):
        assert shard.commit(0, 0, 0).vector.tolist() == [1, 2, 3]
    shard.keep(update(0))  # A frame that was on its way for long.
    assert center(shard) == [1, 2, 3]


def test_the_next_attempt_has_it_merged_if_it_was_counted(shard: Shard) -> None:
    shard.keep(update(0))
    assert shard.join(0, 1, 8, 1).weights.tolist() == [1, 2, 3]
    assert shard.join(0, 1, 8, 1).sequence == 1  # Its answer was lost.


def test_the_next_attempt_sends_it_again_if_it_was_not(shard: Shard) -> None:
    shard.keep(update(0))
    assert shard.join(0, 1, 8, 0).weights.tolist() == [0, 0, 0]
    with pytest.raises(ProtocolError, match=r"worker 0 asked for window 0 .*it has not sent"):
        shard.commit(0, 1, 0)
    shard.keep(update(0, [4, 0, 0], attempt=1))
    assert shard.commit(0, 1, 0).vector.tolist() == [4, 0, 0]


def test_an_attempt_that_was_superseded_is_refused(shard: Shard) -> None:
    shard.keep(update(0))
    shard.join(0, 1, 8, 0)
    for call in (lambda: shard.keep(update(0)), lambda: shard.commit(0, 0, 0)):
        with pytest.raises(Superseded):
            call()
    assert center(shard) == [0, 0, 0]


def test_the_driver_has_what_was_counted_merged_and_no_more(shard: Shard) -> None:
    shard.join(1, 0, 8, 0)
    shard.keep(update(0))
    shard.keep(update(0, [10, 0, 0], partition=1))
    shard.mark({0: 1, 1: 0})
    assert shard.marked.center.tolist() == [1, 2, 3]
    assert shard.commit(0, 0, 0).vector.tolist() == [1, 2, 3]
    assert shard.commit(1, 0, 0).vector.tolist() == [11, 2, 3]
    assert shard.marked.center.tolist() == [1, 2, 3]


def test_a_round_is_merged_by_whoever_hears_of_it_first(rounds: Shard) -> None:
    rounds.keep(update(0, [2, 0, 0]))
    rounds.keep(update(0, [4, 0, 0], partition=1))
    assert rounds.commit(1, 0, 0).vector.tolist() == [3, 0, 0]
    rounds.keep(update(1, [1, 1, 1], partition=1))
    assert rounds.commit(0, 0, 0).vector.tolist() == [3, 0, 0]
    assert center(rounds) == [3, 0, 0]


def test_a_round_that_is_not_whole_cannot_have_been_counted(rounds: Shard) -> None:
    rounds.keep(update(0))
    with pytest.raises(ProtocolError, match=r"window 0 of worker 0 was counted, but .* lacks its"):
        rounds.commit(0, 0, 0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda shard: shard.keep(update(1)), "sent window 1, but 0 is next"),
        (lambda shard: shard.join(0, 1, 8, 1), "begins with window 1, but this shard .* expects 0"),
        (lambda shard: shard.mark({0: 2}), "expects window 2 of worker 0, but a shard .* 0"),
        (lambda shard: shard.commit(1, 0, 0), "worker 1 spoke before it joined"),
        (lambda shard: shard.join(2, 0, 8, 0), "worker 2 is none of the 2"),
    ],
)
def test_what_does_not_fit_is_refused(shard: Shard, wrong: object, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        wrong(shard)
    assert center(shard) == [0, 0, 0]


def test_a_vector_that_is_not_finite_ends_the_training(shard: Shard) -> None:
    shard.keep(update(0, [1, float("nan"), 0]))
    with pytest.raises(TrainingDiverged, match="a weight became NaN or infinite at worker 0"):
        shard.commit(0, 0, 0)


@pytest.mark.parametrize(
    ("frame", "payload"),
    [
        (Header(Kind.FAIL), b"why\0what\0where"),
        (Header(Kind.ALIVE), b""),
        (Header(Kind.WELCOME), b""),
        (Header(Kind.MARK), b"123"),
        (Header(Kind.UPDATE), bytes(4 + 4 * WIDTH + 1)),
        (Header(Kind.UPDATE, codec=2), bytes(4 + 4 * WIDTH)),
        (Header(Kind.JOIN, rows=8), b"more"),
        (Header(Kind.COMMIT, sequence=2**63), b""),
    ],
    ids=lambda one: one.kind.name if isinstance(one, Header) else "",
)
def test_frames_that_no_shard_is_sent_are_refused_and_others_served(
    shard: Shard, frame: Header, payload: bytes
) -> None:
    line = Line(TOKEN, PATIENCE)
    with ShardServer(shard, TOKEN) as server:
        wrong = ShardChannel(0, server.address, WIDTH, line)
        with wrong as channel, pytest.raises(DistkerasError):
            channel._call(Kind.DONE, frame, payload)
        with ShardChannel(0, server.address, WIDTH, line) as channel:
            assert channel.enter(0, 0, 8, 0).tolist() == [0] * WIDTH
