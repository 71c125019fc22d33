"""Gradient energy matching against two-element vectors computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distkeras.errors import ConfigError
from distkeras.rules import Exchange, Merged, Rule, Window, gem
from distkeras.vectors import Vector
from tests.rules.test_arguments import NO_POSITIVE_NUMBERS

START = np.float32([1, 1])


def alone(rule: Rule, *updates: list[float]) -> list[Merged]:
    """The merges of one worker whom no other disturbs."""
    center, memory, merges = START, (), []
    for sent in updates:
        merges.append(rule.merge(center, np.float32(sent), Exchange(0, center, memory=memory)))
        center, memory = merges[-1].center, merges[-1].memory
    return merges


def test_sends_the_whole_difference_however_many_steps() -> None:
    window = Window(np.float32([5, -1]), np.float32([2, 1]), steps=4)
    assert gem().send(window).tolist() == [3, -2]


def test_three_updates_of_one_worker() -> None:
    first, second, third = alone(gem(momentum=0.5), [4, -8], [4, 2], [-1, 1])
    # m = [4, -8], v = 0, pi = [4, 8] / [4, 8] = 1
    assert first.center.tolist() == first.answer.tolist() == [5, -7]
    assert [kept.tolist() for kept in first.memory] == [[4, -8], [1, 1]]
    # m = [2, -4] + [4, 2] = [6, -2], v = [5, -7] - [1, 1] = [4, -8], pi = [2 / 4, clip(-6 / 2)]
    assert second.center.tolist() == [7, -7]
    assert [kept.tolist() for kept in second.memory] == [[6, -2], [5, -7]]
    # m = [3, -1] + [-1, 1] = [2, 0], v = [7, -7] - [5, -7] = [2, 0], pi = [0, 0]
    assert third.center.tolist() == [7, -7]
    assert [kept.tolist() for kept in third.memory] == [[2, 0], [7, -7]]


def test_an_update_is_scaled_by_5_at_most() -> None:
    memory = (np.float32([40, -40]), START)
    merged = gem(momentum=0.5).merge(START, np.float32([1, 4]), Exchange(0, START, memory=memory))
    # m = [20, -20] + [1, 4] = [21, -16], v = 0, pi = [clip(21 / 1), 16 / 4] = [5, 4]
    assert merged.center.tolist() == [6, 17]


def test_kappa_scales_the_energy_that_the_center_may_have() -> None:
    (first,) = alone(gem(kappa=2.5), [4, -8])
    assert first.center.tolist() == [11, -19]  # [1 + 2.5 * 4, 1 - 2.5 * 8]


def test_what_others_moved_is_taken_off() -> None:
    rule = gem(momentum=0.5)
    (mine,) = alone(rule, [4, -8])
    now = mine.center + np.float32([1, -30])  # Others went on.
    merged = rule.merge(now, np.float32([4, -8]), Exchange(1, mine.center, memory=mine.memory))
    # m = [2, -4] + [4, -8] = [6, -12], v = [4, -8] + [1, -30], pi = [1 / 4, clip(-26 / 8)]
    assert merged.center.tolist() == [now[0] + 1, now[1]]
    assert merged.memory[1] is now


def test_the_worker_goes_on_from_the_center() -> None:
    assert gem().adopt(np.float32([5, -1]), np.float32([4, 0])).tolist() == [4, 0]


def test_where_nothing_is_sent_the_center_stays_however_large_the_momentum() -> None:
    memory = (np.float32([1e30, 0]), START)
    sent = np.float32([0, 0])
    with np.errstate(all="raise"):
        merged = gem().merge(START, sent, Exchange(0, START, memory=memory))
    assert merged.center.tolist() == [1, 1]


@given(st.floats(0, 0.99), st.floats(0.5, 2), st.lists(st.floats(0.5, 1), min_size=2, max_size=9))
def test_alone_the_last_two_moves_together_are_a_move_of_the_proxy(
    momentum: float, kappa: float, sizes: list[float]
) -> None:
    """From kappa |m| = |v| + |step|, wherever the step is neither clipped at 0 nor at 5."""
    merges = alone(gem(momentum, kappa), *[[size, -size] for size in sizes])
    centers: list[Vector] = [START, START, *(merged.center for merged in merges)]
    for before, last, merged, sent in zip(centers, centers[1:], merges, sizes, strict=False):
        step = np.abs(merged.center - last)
        two = step + np.abs(last - before)
        inside = (step > 1e-3) & (step < 5 * sent - 1e-3)
        proxy = np.float32(kappa) * np.abs(merged.memory[0])
        np.testing.assert_allclose(two[inside], proxy[inside], rtol=1e-3)


@pytest.mark.parametrize("bad", NO_POSITIVE_NUMBERS, ids=repr)
def test_a_kappa_that_is_not_above_0_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigError) as refusal:
        gem(kappa=bad)
    assert str(refusal.value) == f"kappa is {bad!r}, but must be a number above 0"


@pytest.mark.parametrize("bad", [-0.1, 1.0, 3, float("nan"), float("inf"), True, "0.9"])
def test_a_momentum_outside_0_to_1_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigError) as refusal:
        gem(momentum=bad)
    assert str(refusal.value) == f"momentum is {bad!r}, but must be a number in [0, 1)"
