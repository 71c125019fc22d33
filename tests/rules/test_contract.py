"""What every rule must keep, over the table of all rules."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from distkeras.rules import RULES, Exchange, Rule, Window
from distkeras.vectors import Vector

every_rule = pytest.mark.parametrize("rule", [make() for make in RULES.values()], ids=list(RULES))


@st.composite
def vectors(draw: Callable, count: int) -> list[Vector]:
    """So many vectors of one length, read-only: writing into one raises."""
    size = draw(st.integers(1, 12))
    numbers = st.floats(-1e6, 1e6, width=32)
    made = [draw(hnp.arrays(np.float32, size, elements=numbers)) for _ in range(count)]
    for vector in made:
        vector.flags.writeable = False
    return made


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_listed_under_its_own_name(name: str) -> None:
    assert RULES[name]().name == name


@every_rule
@given(vectors(4), st.integers(1, 20), st.integers(0, 50))
def test_shape_and_type_are_kept_and_no_input_is_changed(
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


@every_rule
@given(vectors(4), st.integers(0, 50), st.integers(1, 9), st.data())
def test_merging_shards_equals_merging_whole(
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


@every_rule
@given(vectors(3), st.integers(1, 20))
def test_a_retried_worker_can_adopt_with_what_it_sent(
    rule: Rule, given_vectors: list[Vector], steps: int
) -> None:
    weights, start, center = given_vectors
    sent = rule.send(Window(weights, start, steps))
    answer = rule.merge(center, sent, Exchange(0, center)).answer
    np.testing.assert_array_equal(rule.adopt(sent, answer), rule.adopt(weights, answer))


@every_rule
@given(vectors(1), st.integers(1, 20))
def test_nothing_learned_alone_moves_nothing(
    rule: Rule, given_vectors: list[Vector], steps: int
) -> None:
    (center,) = given_vectors
    sent = rule.send(Window(center, center, steps))
    merged = rule.merge(center, sent, Exchange(0, center))
    np.testing.assert_array_equal(merged.center, center)
    np.testing.assert_array_equal(rule.adopt(center, merged.answer), center)


@every_rule
def test_a_rule_travels_to_spark(rule: Rule) -> None:
    there = pickle.loads(pickle.dumps(rule))
    center, sent = np.float32([1, 2]), np.float32([3, 5])
    here = rule.merge(center, sent, Exchange(0, center))
    for mine, theirs in zip(here, there.merge(center, sent, Exchange(0, center)), strict=True):
        np.testing.assert_array_equal(mine, theirs)
