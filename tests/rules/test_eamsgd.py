"""EAMSGD is AEASGD; its momentum is the worker's."""

from __future__ import annotations

import numpy as np

from distkeras.rules import Exchange, Window, aeasgd, eamsgd

EXCHANGE = Exchange(2, np.float32([0, 0]))


def test_worker_and_center_move_toward_each_other_by_alpha() -> None:
    rule, weights = eamsgd(rho=2.5, learning_rate=0.1), np.float32([5, -3])
    sent = rule.send(Window(weights, np.float32([1, 1]), steps=4))
    center, difference, *_ = rule.merge(np.float32([1, 1]), sent, EXCHANGE)
    assert sent.tolist() == [5, -3]
    assert difference.tolist() == [1, -1]  # 0.25 * ([5, -3] - [1, 1])
    assert center.tolist() == [2, 0]
    assert rule.adopt(weights, difference).tolist() == [4, -2]


def test_the_exchange_is_that_of_aeasgd() -> None:
    ours, theirs = eamsgd(3.0, 0.2), aeasgd(3.0, 0.2)
    center, weights = np.float32([0.1, -1.7]), np.float32([0.3, 1e-7])
    mine, other = ours.merge(center, weights, EXCHANGE), theirs.merge(center, weights, EXCHANGE)
    np.testing.assert_array_equal(mine.center, other.center)
    np.testing.assert_array_equal(
        ours.adopt(weights, mine.answer), theirs.adopt(weights, other.answer)
    )
    assert not ours.synchronous
