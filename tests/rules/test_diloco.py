"""DiLoCo against two-element vectors computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from distkeras.errors import ConfigError
from distkeras.rules import Exchange, Window, averaging, diloco
from tests.rules.test_arguments import NO_POSITIVE_NUMBERS


def test_sends_the_whole_difference_however_many_steps() -> None:
    window = Window(np.float32([5, -1]), np.float32([2, 1]), steps=500)
    assert diloco().send(window).tolist() == [3, -2]


def test_three_outer_steps_with_nesterov_momentum() -> None:
    rule, center, state = diloco(learning_rate=0.5, momentum=0.5), np.float32([1, 1]), ()
    expected = [
        # g = [-4, 8], v = g, c - 0.5 (g + 0.5 v) = [1, 1] - 0.5 [-6, 12]
        ([4, -8], [4, -5], [-4, 8]),
        # g = [2, 0], v = 0.5 [-4, 8] + g = [0, 4], c - 0.5 (g + 0.5 v) = [4, -5] - 0.5 [2, 2]
        ([-2, 0], [3, -6], [0, 4]),
        # g = 0, v = 0.5 [0, 4] = [0, 2], c - 0.5 (0.5 v) = [3, -6] - 0.5 [0, 1]
        ([0, 0], [3, -6.5], [0, 2]),
    ]
    for sent, after, velocity in expected:
        merged = rule.merge(center, np.float32(sent), Exchange(0, center, 2, state))
        assert merged.center.tolist() == merged.answer.tolist() == after
        assert [kept.tolist() for kept in merged.state] == [velocity]
        center, state = merged.center, merged.state


def test_the_defaults_are_those_of_the_paper() -> None:
    start = np.float32([0, 0])
    first = diloco().merge(start, np.float32([1, -2]), Exchange(0, start))
    np.testing.assert_allclose(first.center, [0.7 * 1.9, -1.4 * 1.9], rtol=1e-6)


def test_the_workers_go_on_from_the_center_and_the_server_waits_for_all() -> None:
    assert diloco().adopt(np.float32([5, -1]), np.float32([4, 0])).tolist() == [4, 0]
    assert diloco().synchronous


def test_a_plain_outer_step_of_one_is_averaging() -> None:
    plain, mean, start = diloco(learning_rate=1.0, momentum=0.0), averaging(), np.float32([1, 1])
    center, state = start, ()
    for ends in ([[5, -3], [2, 0]], [[4, 4], [8, -2]]):
        windows = [Window(np.float32(end), center, 4) for end in ends]
        sent = [sum(rule.send(w) for w in windows) / np.float32(2) for rule in (plain, mean)]
        ours = plain.merge(center, sent[0], Exchange(0, center, 2, state))
        theirs = mean.merge(center, sent[1], Exchange(0, center, 2))
        assert ours.center.tolist() == theirs.center.tolist()
        center, state = ours.center, ours.state
    assert center.tolist() == [6, 1]


@pytest.mark.parametrize("bad", NO_POSITIVE_NUMBERS, ids=repr)
def test_a_learning_rate_that_is_not_above_0_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigError) as refusal:
        diloco(learning_rate=bad)
    assert str(refusal.value) == f"learning_rate is {bad!r}, but must be a number above 0"


@pytest.mark.parametrize("bad", [-0.1, 1.0, 3, float("nan"), float("inf"), True, "0.9"])
def test_a_momentum_outside_0_to_1_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigError) as refusal:
        diloco(momentum=bad)
    assert str(refusal.value) == f"momentum is {bad!r}, but must be a number in [0, 1)"
