"""Averaging against two-element vectors computed by hand."""

from __future__ import annotations

import numpy as np

from distkeras.rules import Exchange, Window, averaging


def test_all_go_on_from_the_mean() -> None:
    rule, start = averaging(), np.float32([1, 1])
    windows = [Window(np.float32(ends), start, 4) for ends in ([5, -3], [2, 0], [2, 9])]
    mean = sum(rule.send(window) for window in windows) / np.float32(3)
    center, answer, *_ = rule.merge(start, mean, Exchange(0, start, 3))
    assert center.tolist() == answer.tolist() == [3, 2]
    for window in windows:
        assert rule.adopt(window.weights, answer).tolist() == [3, 2]


def test_the_server_waits_for_all() -> None:
    assert averaging().synchronous
