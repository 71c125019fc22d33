"""A layout puts arrays into one vector and takes them out again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from distkeras.errors import ConfigError
from distkeras.vectors import Layout, all_finite

arrays = st.lists(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements=st.floats(width=32, allow_nan=False),
    ),
    max_size=5,
)


@given(arrays)
def test_what_is_flattened_comes_back_unchanged(weights: list[np.ndarray]) -> None:
    layout = Layout.of(weights)
    vector = layout.flatten(weights)
    assert vector.dtype == np.float32
    assert vector.shape == (layout.size,)
    for before, after in zip(weights, layout.unflatten(vector), strict=True):
        np.testing.assert_array_equal(before, after)


def test_arrays_lie_one_after_another_in_row_order() -> None:
    layout = Layout(((2, 2), (), (1,)))
    vector = layout.flatten([np.array([[1, 2], [3, 4]]), np.array(5.0), np.array([6.0])])
    assert vector.tolist() == [1, 2, 3, 4, 5, 6]
    assert layout.sizes == (4, 1, 1)


def test_the_parts_are_views() -> None:
    layout = Layout(((2,), (1,)))
    vector = np.zeros(3, np.float32)
    layout.unflatten(vector)[1][0] = 7
    assert vector.tolist() == [0, 0, 7]


def test_the_vector_is_a_copy() -> None:
    weights = [np.zeros(2, np.float32)]
    vector = Layout.of(weights).flatten(weights)
    vector[:] = 1
    assert weights[0].tolist() == [0, 0]


def test_other_floats_become_float32() -> None:
    vector = Layout(((2,),)).flatten([np.array([0.1, 2], np.float64)])
    assert vector.dtype == np.float32
    assert vector[0] == np.float32(0.1)


def test_a_model_without_weights_has_an_empty_vector() -> None:
    layout = Layout(())
    assert layout.flatten([]).shape == (0,)
    assert layout.unflatten(np.empty(0, np.float32)) == []


@pytest.mark.parametrize(
    "weights",
    [
        [np.zeros((2, 3))],  # transposed
        [np.zeros((3, 2)), np.zeros(1)],  # one too many
        [],
    ],
)
def test_other_shapes_are_refused(weights: list[np.ndarray]) -> None:
    with pytest.raises(ConfigError, match=r"\(\(3, 2\),\)"):
        Layout(((3, 2),)).flatten(weights)


@pytest.mark.parametrize("vector", [np.zeros(5), np.zeros(7), np.zeros((2, 3))])
def test_a_vector_of_another_length_is_refused(vector: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="the layout has 6"):
        Layout(((3, 2),)).unflatten(vector)


def test_only_the_same_shapes_in_the_same_order_have_the_same_digest() -> None:
    digests = [
        Layout(shapes).digest
        for shapes in [((2, 3), (1,)), ((1,), (2, 3)), ((3, 2), (1,)), ((7,),)]
    ]
    assert len(set(digests)) == 4
    assert Layout(((2, 3), (1,))).digest == digests[0]
    assert all(len(digest) == 32 for digest in digests)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1, 99_999, 100_000])
def test_one_element_that_is_not_finite_is_found(bad: float, place: int) -> None:
    vector = np.ones(100_001, np.float32)
    assert all_finite(vector)
    vector[place] = bad
    assert not all_finite(vector)


def test_infinities_that_cancel_each_other_are_found() -> None:
    assert not all_finite(np.float32([np.inf, -np.inf, 1]))


def test_a_sum_beyond_float32_is_no_infinite_weight() -> None:
    assert all_finite(np.full(10, 3e38, np.float32))
