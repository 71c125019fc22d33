"""ADAG against two-element vectors computed by hand."""

from __future__ import annotations

import numpy as np

from distkeras.rules import Exchange, Window, adag, downpour

EXCHANGE = Exchange(0, np.float32([0, 0]))


def test_sends_the_difference_of_a_mean_step() -> None:
    window = Window(np.float32([5, -1]), np.float32([1, 1]), steps=4)
    assert adag().send(window).tolist() == [1, -0.5]


def test_a_shorter_window_is_divided_by_its_own_steps() -> None:
    window = Window(np.float32([5, -1]), np.float32([1, 1]), steps=2)
    assert adag().send(window).tolist() == [2, -1]


def test_adds_what_was_sent_and_answers_the_center() -> None:
    center, answer, *_ = adag().merge(np.float32([1, 2]), np.float32([1, -0.5]), EXCHANGE)
    assert center.tolist() == [2, 1.5]
    assert answer.tolist() == [2, 1.5]


def test_the_worker_goes_on_from_the_center() -> None:
    assert adag().adopt(np.float32([5, -1]), np.float32([2, 1.5])).tolist() == [2, 1.5]


def test_with_a_window_of_one_step_it_is_downpour() -> None:
    window = Window(np.float32([0.7, -1.3]), np.float32([0.1, 0.9]), steps=1)
    assert adag().send(window).tolist() == downpour().send(window).tolist()
