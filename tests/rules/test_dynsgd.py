"""DynSGD against two-element vectors computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from distkeras.rules import Exchange, Window, downpour, dynsgd

NOWHERE = np.float32([9, 9])


def test_sends_the_whole_difference_however_many_steps() -> None:
    window = Window(np.float32([5, -1]), np.float32([2, 1]), steps=4)
    assert dynsgd().send(window).tolist() == [3, -2]


@pytest.mark.parametrize(
    ("staleness", "expected"),
    [
        (0, [7, -6]),  # [1 + 6, 2 - 8]
        (1, [4, -2]),  # [1 + 3, 2 - 4]
        (3, [2.5, 0]),  # [1 + 1.5, 2 - 2]
    ],
)
def test_an_update_counts_less_the_staler_it_is(staleness: int, expected: list[float]) -> None:
    exchange = Exchange(staleness, NOWHERE)
    center, answer, *_ = dynsgd().merge(np.float32([1, 2]), np.float32([6, -8]), exchange)
    assert center.tolist() == answer.tolist() == expected


def test_the_worker_goes_on_from_the_center() -> None:
    assert dynsgd().adopt(np.float32([5, -1]), np.float32([4, 0])).tolist() == [4, 0]


def test_an_update_that_is_not_stale_makes_it_downpour() -> None:
    center, sent = np.float32([0.1, -1.7]), np.float32([0.3, 1e-7])
    fresh = Exchange(0, NOWHERE)
    ours, theirs = dynsgd().merge(center, sent, fresh), downpour().merge(center, sent, fresh)
    np.testing.assert_array_equal(ours.center, theirs.center)
    np.testing.assert_array_equal(ours.answer, theirs.answer)


def test_workers_of_one_speed_move_the_center_by_their_mean() -> None:
    rule, center = dynsgd(), np.float32([0, 0])
    for sent in (np.float32([4, 0]), np.float32([0, -8])):  # Two, so each finds tau = 1.
        center = rule.merge(center, sent, Exchange(1, NOWHERE)).center
    assert center.tolist() == [2, -4]
