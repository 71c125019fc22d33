"""AEASGD against two-element vectors computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from distkeras.errors import ConfigError
from distkeras.rules import Exchange, Rule, Window, aeasgd, eamsgd, easgd
from distkeras.rules.aeasgd import merge
from tests.rules.test_arguments import NO_POSITIVE_NUMBERS

EXCHANGE = Exchange(0, np.float32([0, 0]))
quarter = aeasgd(rho=2.5, learning_rate=0.1)


def test_sends_the_weights_themselves() -> None:
    window = Window(np.float32([5, -3]), np.float32([1, 1]), steps=4)
    assert quarter.send(window).tolist() == [5, -3]


def test_the_center_moves_to_the_worker_by_alpha_and_the_worker_as_far_to_the_center() -> None:
    weights = np.float32([5, -3])
    center, difference, *_ = quarter.merge(np.float32([1, 1]), weights, EXCHANGE)
    assert difference.tolist() == [1, -1]
    assert center.tolist() == [2, 0]
    assert quarter.adopt(weights, difference).tolist() == [4, -2]


pairs = st.integers(1, 8).flatmap(
    lambda size: st.tuples(
        *[hnp.arrays(np.float32, size, elements=st.floats(-1e3, 1e3, width=32))] * 2
    )
)


@given(pairs, st.floats(0.01, 0.99))
def test_what_the_center_gains_the_worker_loses(
    pair: tuple[np.ndarray, np.ndarray], alpha: float
) -> None:
    weights, center = pair
    rule = aeasgd(rho=alpha, learning_rate=1.0)
    after, difference, *_ = rule.merge(center, weights, EXCHANGE)
    gained, lost = after - center, weights - rule.adopt(weights, difference)
    np.testing.assert_allclose(gained, lost, atol=1e-3)


@given(pairs, st.floats(0.01, 0.99))
def test_the_center_ends_between_the_two(pair: tuple[np.ndarray, np.ndarray], alpha: float) -> None:
    weights, center = pair
    after, _, *_ = aeasgd(rho=alpha, learning_rate=1.0).merge(center, weights, EXCHANGE)
    low, high = np.minimum(weights, center), np.maximum(weights, center)
    assert (after >= low - 1e-3).all()
    assert (after <= high + 1e-3).all()


@pytest.mark.parametrize("rule", [aeasgd, eamsgd, easgd])
@pytest.mark.parametrize(
    ("rho", "learning_rate", "quoted"),
    [(5.0, 0.2, "5.0 * 0.2 = 1"), (30, 0.1, "30 * 0.1 = 3")],
)
def test_an_alpha_outside_0_to_1_is_refused_with_its_factors(
    rule: Callable[[Any, Any], Rule], rho: float, learning_rate: float, quoted: str
) -> None:
    with pytest.raises(ConfigError) as refusal:
        rule(rho, learning_rate)
    assert str(refusal.value) == f"rho * learning_rate = {quoted}, but must be in (0, 1)"


@pytest.mark.parametrize("rule", [aeasgd, eamsgd, easgd])
@pytest.mark.parametrize("name", ["rho", "learning_rate"])
@pytest.mark.parametrize("bad", NO_POSITIVE_NUMBERS, ids=repr)
def test_a_factor_that_is_not_above_0_is_refused(
    rule: Callable[..., Rule], name: str, bad: Any
) -> None:
    with pytest.raises(ConfigError) as refusal:
        rule(**{name: bad})
    assert str(refusal.value) == f"{name} is {bad!r}, but must be a number above 0"


def test_a_rho_of_nothing_leaves_the_center_and_the_worker_still() -> None:
    weights, center = np.float32([5, -3]), np.float32([1, 1])
    after, answer, *_ = merge(center, weights, EXCHANGE, alpha=np.float32(0))
    assert after.tolist() == [1, 1]
    assert quarter.adopt(weights, answer).tolist() == [5, -3]
