"""A researcher's optimizer, as the README shows it, needs one line to be tested."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from distkeras.rules import Exchange, Merged, Rule, adopt_answer, send_weights
from distkeras.vectors import Vector
from tests.rules.contract import contract_of


def fedasync(mixing: float = 0.6, power: float = 0.5) -> Rule:
    """FedAsync (Xie et al. 2019, arXiv:1903.03934): the center takes a share of each worker."""
    return Rule("FedAsync", send_weights, partial(mix, mixing=mixing, power=power), adopt_answer)


def mix(center: Vector, sent: Vector, exchange: Exchange, mixing: float, power: float) -> Merged:
    """C <- c + a (W - c), a = mixing / (tau + 1)^power; the answer is the new center."""
    share = np.float32(mixing / (exchange.staleness + 1) ** power)
    merged = center + (sent - center) * share
    return Merged(merged, merged)


test_contract = contract_of(fedasync())


@pytest.mark.parametrize(("staleness", "expected"), [(0, [3, 0]), (3, [2, 1])])
def test_a_stale_worker_counts_less(staleness: int, expected: list[float]) -> None:
    exchange = Exchange(staleness, np.float32([9, 9]))
    merged = fedasync(mixing=0.5).merge(np.float32([1, 2]), np.float32([5, -2]), exchange)
    # [1, 2] + 0.5 [4, -4], and [1, 2] + 0.25 [4, -4]
    assert merged.center.tolist() == expected
