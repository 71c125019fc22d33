"""What every rule must keep; ``contract_of(my_rule())`` makes a test of it.

A test file of a new rule needs one line: ``test_contract = contract_of(my_rule())``.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from distkeras.rules import Exchange, Rule, Window
from distkeras.vectors import Vector

__all__ = ["contract_of"]


def contract_of(*rules: Rule) -> Callable[[Rule, Callable[[Rule], None]], None]:
    """A test that holds these rules against every check in this file."""

    @pytest.mark.parametrize("rule", rules, ids=[rule.name for rule in rules])
    @pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
    def test(rule: Rule, check: Callable[[Rule], None]) -> None:
        check(rule)

    return test


@st.composite
def vectors(draw: Callable, count: int) -> list[Vector]:
    """So many vectors of one length, read-only: writing into one raises."""
    size = draw(st.integers(1, 12))
    numbers = st.floats(-1e6, 1e6, width=32)
    made = [draw(hnp.arrays(np.float32, size, elements=numbers)) for _ in range(count)]
    for vector in made:
        vector.flags.writeable = False
    return made


@given(vectors(4), st.integers(1, 20), st.integers(0, 50))
def shape_and_type_are_kept_and_no_input_is_changed(
    rule: Rule, given_vectors: list[Vector], steps: int, staleness: int
) -> None:
    weights, start, center, adopted = given_vectors
    sent = rule.send(Window(weights, start, steps))
    merged = rule.merge(center, sent, Exchange(staleness, adopted))
    # What a rule keeps comes back to it.
    again = rule.merge(center, sent, Exchange(staleness, adopted, 3, merged.state, merged.memory))
    following = rule.adopt(weights, merged.answer)
    kept = [*merged.state, *merged.memory, *again.state, *again.memory]
    for result in (sent, *merged[:2], *again[:2], following, *kept):
        assert result.shape == center.shape
        assert result.dtype == np.float32
        assert np.isfinite(result).all()


@given(vectors(3), st.integers(0, 50), st.integers(1, 9))
def results_in_the_servers_room_are_the_same(
    rule: Rule, given_vectors: list[Vector], staleness: int, workers: int
) -> None:
    center, sent, adopted = given_vectors
    exchange = Exchange(staleness, adopted, workers)
    with_room = exchange._replace(room=lambda: np.full_like(center, np.nan))
    for mine, theirs in zip(
        rule.merge(center, sent, exchange), rule.merge(center, sent, with_room), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


@given(vectors(4), st.integers(0, 50), st.integers(1, 9), st.data())
def merging_shards_equals_merging_whole(
    rule: Rule, given_vectors: list[Vector], staleness: int, workers: int, data: st.DataObject
) -> None:
    weights, sent, center, adopted = given_vectors
    cuts = data.draw(st.lists(st.integers(0, len(center)), max_size=3).map(sorted))
    whole = twice(rule, center, sent, adopted, staleness, workers)
    parts = zip(*(np.split(vector, cuts) for vector in (center, sent, adopted)), strict=True)
    shards = [twice(rule, *part, staleness, workers) for part in parts]
    for place, vector in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([shard[place] for shard in shards]), vector)
    following = [
        rule.adopt(mine, shard[1])
        for mine, shard in zip(np.split(weights, cuts), shards, strict=True)
    ]
    np.testing.assert_array_equal(np.concatenate(following), rule.adopt(weights, whole[1]))


def twice(
    rule: Rule, center: Vector, sent: Vector, adopted: Vector, staleness: int, workers: int
) -> list[Vector]:
    """All that a merge leaves after one of the same worker before it."""
    first = rule.merge(center, sent, Exchange(staleness, adopted, workers))
    exchange = Exchange(staleness, first.center, workers, first.state, first.memory)
    merged = rule.merge(first.center, sent, exchange)
    return [merged.center, merged.answer, *merged.state, *merged.memory]


@given(vectors(3), st.integers(1, 20))
def a_retried_worker_can_adopt_with_what_it_sent(
    rule: Rule, given_vectors: list[Vector], steps: int
) -> None:
    weights, start, center = given_vectors
    sent = rule.send(Window(weights, start, steps))
    answer = rule.merge(center, sent, Exchange(0, center)).answer
    np.testing.assert_array_equal(rule.adopt(sent, answer), rule.adopt(weights, answer))


@given(vectors(1), st.integers(1, 20), st.integers(1, 9))
def nothing_learned_moves_nothing(
    rule: Rule, given_vectors: list[Vector], steps: int, workers: int
) -> None:
    (center,) = given_vectors
    sent = rule.send(Window(center, center, steps))
    merged = rule.merge(center, sent, Exchange(0, center, workers))
    np.testing.assert_array_equal(merged.center, center)
    np.testing.assert_array_equal(rule.adopt(center, merged.answer), center)


@given(vectors(3))
def only_an_asynchronous_rule_remembers_workers(rule: Rule, given_vectors: list[Vector]) -> None:
    center, sent, adopted = given_vectors
    merged = rule.merge(center, sent, Exchange(0, adopted))
    assert not (rule.synchronous and merged.memory)


def it_travels_to_spark(rule: Rule) -> None:
    there = pickle.loads(pickle.dumps(rule))
    center, sent = np.float32([1, 2]), np.float32([3, 5])
    here = rule.merge(center, sent, Exchange(0, center))
    for mine, theirs in zip(here, there.merge(center, sent, Exchange(0, center)), strict=True):
        np.testing.assert_array_equal(mine, theirs)


CHECKS = (
    shape_and_type_are_kept_and_no_input_is_changed,
    results_in_the_servers_room_are_the_same,
    merging_shards_equals_merging_whole,
    a_retried_worker_can_adopt_with_what_it_sent,
    nothing_learned_moves_nothing,
    only_an_asynchronous_rule_remembers_workers,
    it_travels_to_spark,
)
