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
    merged, answer = rule.merge(center, sent, Exchange(staleness, adopted))
    following = rule.adopt(weights, answer)
    for result in (sent, merged, answer, following):
        assert result.shape == center.shape
        assert result.dtype == np.float32


@every_rule
@given(vectors(4), st.integers(0, 50), st.data())
def test_merging_shards_equals_merging_whole(
    rule: Rule, given_vectors: list[Vector], staleness: int, data: st.DataObject
) -> None:
    weights, sent, center, adopted = given_vectors
    cuts = data.draw(st.lists(st.integers(0, len(center)), max_size=3).map(sorted))
    merged, answer = rule.merge(center, sent, Exchange(staleness, adopted))
    shards = [
        rule.merge(part[0], part[1], Exchange(staleness, part[2]))
        for part in zip(*(np.split(whole, cuts) for whole in (center, sent, adopted)), strict=True)
    ]
    np.testing.assert_array_equal(np.concatenate([shard[0] for shard in shards]), merged)
    np.testing.assert_array_equal(np.concatenate([shard[1] for shard in shards]), answer)
    following = [
        rule.adopt(mine, shard[1])
        for mine, shard in zip(np.split(weights, cuts), shards, strict=True)
    ]
    np.testing.assert_array_equal(np.concatenate(following), rule.adopt(weights, answer))


@every_rule
@given(vectors(1), st.integers(1, 20))
def test_nothing_learned_alone_moves_nothing(
    rule: Rule, given_vectors: list[Vector], steps: int
) -> None:
    (center,) = given_vectors
    sent = rule.send(Window(center, center, steps))
    merged, answer = rule.merge(center, sent, Exchange(0, center))
    np.testing.assert_array_equal(merged, center)
    np.testing.assert_array_equal(rule.adopt(center, answer), center)


@every_rule
def test_a_rule_travels_to_spark(rule: Rule) -> None:
    there = pickle.loads(pickle.dumps(rule))
    center, sent = np.float32([1, 2]), np.float32([3, 5])
    here = rule.merge(center, sent, Exchange(0, center))
    for mine, theirs in zip(here, there.merge(center, sent, Exchange(0, center)), strict=True):
        np.testing.assert_array_equal(mine, theirs)
