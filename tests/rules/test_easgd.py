"""Synchronous EASGD against two-element vectors computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from distkeras.errors import ConfigError
from distkeras.rules import Exchange, Rule, aeasgd, easgd
from distkeras.vectors import Vector


def round_of(rule: Rule, center: Vector, workers: list[Vector]) -> tuple[Vector, list[Vector]]:
    """Center and workers after a round, as a server makes it."""
    mean = sum(workers) / np.float32(len(workers))
    merged = rule.merge(center, mean, Exchange(0, center, len(workers)))
    return merged.center, [rule.adopt(weights, merged.answer) for weights in workers]


def test_every_worker_pulls_at_the_center_and_is_pulled_to_where_it_was() -> None:
    rule = easgd(rho=2.5, learning_rate=0.1, workers=3)
    workers = [np.float32([5, 0]), np.float32([1, 4]), np.float32([3, 8])]
    center, workers = round_of(rule, np.float32([1, 4]), workers)
    # c + 0.25 (([5, 0] - c) + ([1, 4] - c) + ([3, 8] - c)) = [1, 4] + 0.25 [6, 0]
    assert center.tolist() == [2.5, 4]
    # W - 0.25 (W - [1, 4])
    assert [worker.tolist() for worker in workers] == [[4, 1], [1, 4], [2.5, 7]]


def test_the_workers_are_told_the_center_before_and_the_server_waits_for_all() -> None:
    rule, center = easgd(), np.float32([1, 4])
    merged = rule.merge(center, np.float32([3, 4]), Exchange(0, center, 2))
    assert merged.answer.tolist() == [1, 4]
    assert rule.synchronous


def test_one_worker_makes_it_aeasgd() -> None:
    center, weights = np.float32([0.1, -1.7]), np.float32([0.3, 1e-7])
    ours, theirs = easgd(3.0, 0.2, workers=1), aeasgd(3.0, 0.2)
    mine = ours.merge(center, weights, Exchange(0, center, 1))
    other = theirs.merge(center, weights, Exchange(0, center))
    np.testing.assert_array_equal(mine.center, other.center)
    np.testing.assert_array_equal(
        ours.adopt(weights, mine.answer), theirs.adopt(weights, other.answer)
    )


@pytest.mark.parametrize("workers", [1, 2, 5, 20])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.98])
def test_worker_and_center_meet_below_the_limit(workers: int, share: float) -> None:
    alpha = min(share * 2 / (workers + 1), 0.98)
    rule = easgd(rho=alpha, learning_rate=1.0, workers=workers)
    center, all_of_them = np.float32([0, 0]), [np.float32([1, -1])] * workers
    apart = np.float32([1, -1])
    for _ in range(5):
        center, all_of_them = round_of(rule, center, all_of_them)
        apart = apart * (1 - alpha - workers * alpha)
        np.testing.assert_allclose(all_of_them[0] - center, apart, atol=1e-5)
    assert abs(apart[0]) < 1


def test_at_the_limit_they_would_swing_for_ever() -> None:
    apart = 1 - 0.5 - 3 * 0.5
    assert apart == -1
    with pytest.raises(ConfigError) as refusal:
        easgd(5.0, 0.1, workers=3)
    assert str(refusal.value) == (
        "rho * learning_rate = 5.0 * 0.1 = 0.5 diverges with 3 workers: "
        "it must be below 2 / (workers + 1) = 0.5"
    )
    easgd(5.0, 0.0999, workers=3)


@pytest.mark.parametrize("bad", [0, -2, 2.0, True, "2"])
def test_a_number_of_workers_that_is_none_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigError, match=f"workers is {bad!r}, but must be a whole number"):
        easgd(workers=bad)
