"""Distance-based staleness against two-element vectors computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from distkeras.errors import ConfigError
from distkeras.rules import Exchange, Window, adag, experimental
from tests.rules.test_arguments import NO_POSITIVE_NUMBERS


def test_sends_the_difference_of_a_mean_step() -> None:
    window = Window(np.float32([5, -1]), np.float32([1, 1]), steps=4)
    assert experimental().send(window).tolist() == [1, -0.5]


@pytest.mark.parametrize(
    ("eta", "expected"),
    [
        (1.0, [4, 4]),  # [3 + 2 / (1^2 / 1 + 1), 5 - 10 / (3^2 / 1 + 1)]
        (0.25, [3.4, 5 - 10 / 37]),  # [3 + 2 / (1 * 4 + 1), 5 - 10 / (9 * 4 + 1)]
        (9.0, [4.8, 0]),  # [3 + 2 / (10 / 9), 5 - 10 / 2]
    ],
)
def test_a_weight_that_moved_takes_less_of_the_step(eta: float, expected: list[float]) -> None:
    adopted = Exchange(staleness=7, adopted=np.float32([2, 8]))
    center, answer, *_ = experimental(eta).merge(np.float32([3, 5]), np.float32([2, -10]), adopted)
    np.testing.assert_allclose(center, expected, rtol=1e-6)
    np.testing.assert_array_equal(answer, center)


def test_the_worker_goes_on_from_the_center() -> None:
    assert experimental().adopt(np.float32([5, -1]), np.float32([4, 0])).tolist() == [4, 0]


def test_a_center_that_has_not_moved_makes_it_adag() -> None:
    center, sent = np.float32([0.1, -1.7]), np.float32([0.3, 1e-7])
    still = Exchange(4, adopted=center)
    ours, theirs = experimental().merge(center, sent, still), adag().merge(center, sent, still)
    np.testing.assert_array_equal(ours.center, theirs.center)
    np.testing.assert_array_equal(ours.answer, theirs.answer)


@pytest.mark.parametrize("bad", [*NO_POSITIVE_NUMBERS, 1e-50], ids=repr)
def test_a_learning_rate_that_is_not_above_0_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigError) as refusal:
        experimental(bad)
    assert str(refusal.value).startswith(f"learning_rate is {bad!r}, ")
