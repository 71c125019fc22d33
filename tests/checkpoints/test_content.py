"""A server that is packed, unpacked and gone on with ends where an undisturbed one does."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distkeras.checkpoints.content import MAGIC, Saved, pack, unpack
from distkeras.conversation import Answer, Update
from distkeras.errors import DataError
from distkeras.rules import RULES
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.stopping import Validated
from distkeras.worker import Assignment, train
from tests.linear import LinearReplica, Table, server_of, update

ALONE = sorted(name for name, rule in RULES.items() if not rule().synchronous)


class Killed(Exception):
    """The driver is gone, and its workers with it."""


class Doomed:
    """A channel to a server that takes so many windows and no more."""

    def __init__(self, server: ParameterServer, windows: int) -> None:
        self._server, self._left = server, windows
        self.join, self.leave, self.fail = server.join, server.leave, server.fail

    def exchange(self, sent: Update) -> Answer:
        if not self._left:
            raise Killed
        self._left -= 1
        return self._server.exchange(sent)


def resumed(server: ParameterServer) -> ParameterServer:
    """Another server, which goes on from what the first one was on disk."""
    fresh = server_of(server.rule)
    fresh.restore(unpack(pack(Saved({}, server.snapshot()))).snapshot)
    return fresh


@pytest.mark.parametrize("name", ALONE)
@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 20), max_size=3))
def test_a_killed_training_ends_where_it_would_have(name: str, cuts: list[int]) -> None:
    rows, schedule = Table(37), Schedule(batch_size=2, window=3, epochs=3, seed=1)

    def train_on(server: ParameterServer, attempt: int, windows: int) -> None:
        channel = Doomed(server, windows)
        with suppress(Killed):
            train(Assignment(0, attempt), rows, LinearReplica(2), channel, server.rule, schedule)

    undisturbed = server_of(RULES[name]())
    train_on(undisturbed, 0, 1000)
    server = server_of(RULES[name]())
    for windows in cuts:
        train_on(server, 5, windows)
        server = resumed(server)
    train_on(server, 0, 1000)
    assert server.center.tobytes() == undisturbed.center.tobytes()
    assert server.rows_merged == undisturbed.rows_merged == 3 * len(rows)
    windows = [(record.epoch, record.window, record.samples) for record in server.history]
    assert windows == [(one.epoch, one.window, one.samples) for one in undisturbed.history]


def saved() -> Saved:
    server = server_of(RULES["DOWNPOUR"]())
    for partition in (0, 1):
        server.join(partition, 3, 8)
    server.exchange(update(0, attempt=3))
    validations = (Validated(4, 0.5, 12.5, {"val_loss": float("nan")}),)
    return Saved({"rows": [1, 2]}, server.snapshot(), validations, server.center)


def test_everything_comes_back() -> None:
    before, after = saved(), unpack(pack(saved()))
    assert after.identity == before.identity
    assert after.snapshot.clock == 1
    assert after.snapshot.members[1].sequence == 0
    assert after.snapshot.members[0].sequence == 1
    assert np.isnan(after.validations[0].measures["val_loss"])
    assert after.best is not None
    assert after.best.tobytes() == after.snapshot.center.tobytes()
    first, again = before.snapshot.history[0], after.snapshot.history[0]
    assert (first.metrics, first.samples) == (again.metrics, again.samples)


def test_a_vector_is_written_once() -> None:
    small = sum(map(len, pack(saved())))
    server = ParameterServer(np.zeros(100_000, np.float32), RULES["DOWNPOUR"](), workers=10)
    for partition in range(10):
        server.join(partition, 0, 8)
    assert sum(map(len, pack(Saved({}, server.snapshot())))) < small + 400_000 + 4096


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_change_is_noticed(data: st.DataObject) -> None:
    whole = b"".join(pack(saved()))
    if data.draw(st.booleans(), "cut"):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1), "length")]
    else:
        place = data.draw(st.integers(0, len(whole) - 1), "place")
        changed = whole[place] ^ data.draw(st.integers(1, 255), "change")
        damaged = whole[:place] + bytes([changed]) + whole[place + 1 :]
    with pytest.raises(DataError, match="damaged"):
        unpack([damaged])


def test_pieces_are_small() -> None:
    server = ParameterServer(np.zeros(1_000_000, np.float32), RULES["DOWNPOUR"]())
    sizes = [len(piece) for piece in pack(Saved({}, server.snapshot()))]
    assert max(sizes) <= 1 << 20
    assert sum(sizes) > 4_000_000
    assert MAGIC.isascii()


def test_a_snapshot_is_of_one_moment() -> None:
    server = server_of(RULES["DOWNPOUR"]())
    server.join(0, 0, 100)
    taken = []
    for sequence in range(5):
        server.exchange(update(sequence))
        taken.append(server.snapshot())
    for before, after in pairwise(taken):
        assert (before.clock + 1, before.rows_merged + 4) == (after.clock, after.rows_merged)
        assert before.members[0].sequence + 1 == after.members[0].sequence
        assert not np.array_equal(before.center, after.center)
