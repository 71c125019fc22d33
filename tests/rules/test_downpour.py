"""DOWNPOUR against two-element vectors computed by hand."""

from __future__ import annotations

import numpy as np

from distkeras.rules import Exchange, Window, downpour

STALE = Exchange(3, np.float32([9, 9]))


def test_sends_the_whole_difference_however_many_steps() -> None:
    window = Window(np.float32([5, -1]), np.float32([2, 1]), steps=4)
    assert downpour().send(window).tolist() == [3, -2]


def test_adds_what_was_sent_whatever_the_staleness() -> None:
    center, answer, *_ = downpour().merge(np.float32([1, 2]), np.float32([3, -2]), STALE)
    assert center.tolist() == [4, 0]
    assert answer.tolist() == [4, 0]


def test_the_worker_goes_on_from_the_center() -> None:
    assert downpour().adopt(np.float32([5, -1]), np.float32([4, 0])).tolist() == [4, 0]


def test_two_workers_from_one_start_add_up() -> None:
    rule, center = downpour(), np.float32([1, 1])
    first, second = np.float32([2, 1]), np.float32([1, 4])
    after, _, *_ = rule.merge(center, rule.send(Window(first, center, 1)), STALE)
    after, _, *_ = rule.merge(after, rule.send(Window(second, center, 1)), STALE)
    assert after.tolist() == [2, 4]
