"""Single against two-element vectors computed by hand."""

from __future__ import annotations

import numpy as np

from distkeras.rules import Exchange, Window, single


def test_the_center_follows_the_worker_and_the_worker_stays() -> None:
    rule, weights = single(), np.float32([5, -1])
    sent = rule.send(Window(weights, np.float32([0, 0]), steps=3))
    center, answer, *_ = rule.merge(np.float32([1, 1]), sent, Exchange(0, np.float32([1, 1])))
    assert sent.tolist() == center.tolist() == answer.tolist() == [5, -1]
    assert rule.adopt(weights, answer).tolist() == [5, -1]
