"""The population stability index, by hand and by its properties."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distkeras.preprocessing.drift import ColumnProfile, Profile, drifts, psi

COUNTS = st.lists(st.integers(0, 1000), min_size=4, max_size=4)


def test_two_bins_by_hand() -> None:
    # 3.5, 1.5 of 5 against 1.5, 3.5 of 5: shares 0.7, 0.3 and 0.3, 0.7.
    assert psi([3, 1], [1, 3]) == pytest.approx(2 * 0.4 * log(0.7 / 0.3))


@given(COUNTS, COUNTS)
def test_it_is_symmetric_and_not_negative(one: list[int], other: list[int]) -> None:
    assert psi(one, other) == pytest.approx(psi(other, one))
    assert psi(one, other) >= -1e-12


@given(COUNTS)
def test_equal_samples_have_none(counts: list[int]) -> None:
    assert psi(counts, counts) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("one", "other"), [([0, 0], [5, 5]), ([5, 5], [0, 0]), ([9], [4])])
def test_what_says_nothing_is_zero(one: list[int], other: list[int]) -> None:
    assert psi(one, other) == pytest.approx(0)


def test_by_chance_it_is_about_what_the_docstring_says() -> None:
    generator = np.random.default_rng(0)
    n, m, bins = 2000, 500, 10
    found = [
        psi(generator.multinomial(n, [0.1] * bins), generator.multinomial(m, [0.1] * bins))
        for _ in range(400)
    ]
    assert np.mean(found) == pytest.approx((bins - 1) * (1 / n + 1 / m), rel=0.15)


def test_an_empty_bin_is_far_but_finite() -> None:
    assert 1 < psi([100, 100], [0, 100]) < 10


def test_new_categories_are_a_bin() -> None:
    before = Profile(20, {"a": ColumnProfile(0, (10, 10)), "b": ColumnProfile(0, (20,))})
    day = Profile(10, {"a": ColumnProfile(0, (5, 5)), "b": ColumnProfile(0, (5,), new=5)})
    found = drifts(before, day)
    assert found["a"] == pytest.approx(0, abs=0.01)
    assert found["b"] == pytest.approx(psi([20, 0], [5, 5]))
    assert day.new_share("b") == 0.5
