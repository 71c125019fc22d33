"""What the factories refuse, quoted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from distkeras.errors import ConfigError
from distkeras.rules.arguments import fraction, positive, positive_int

NO_POSITIVE_NUMBERS = [0, 0.0, -1, -0.5, math.nan, math.inf, -math.inf, True, "0.1", None, [1.0]]


@pytest.mark.parametrize("bad", NO_POSITIVE_NUMBERS, ids=repr)
def test_what_is_no_number_above_0_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigError) as refusal:
        positive("eta", bad)
    assert str(refusal.value) == f"eta is {bad!r}, but must be a number above 0"


@pytest.mark.parametrize("bad", [1e-50, 1e39])
def test_what_float32_makes_0_or_infinite_is_refused(bad: float) -> None:
    with pytest.raises(ConfigError) as refusal:
        positive("eta", bad)
    assert str(refusal.value) == f"eta is {bad!r}, which float32 does not hold"


@pytest.mark.parametrize("bad", [-0.1, 1, 1.0, 2, math.nan, math.inf, True, False, "0.9", None])
def test_what_is_no_fraction_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigError) as refusal:
        fraction("mu", bad)
    assert str(refusal.value) == f"mu is {bad!r}, but must be a number in [0, 1)"


@pytest.mark.parametrize("bad", [0, -1, 2.0, math.nan, math.inf, True, "2", None])
def test_what_is_no_whole_number_of_at_least_1_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigError) as refusal:
        positive_int("workers", bad)
    assert str(refusal.value) == f"workers is {bad!r}, but must be a whole number of at least 1"


def test_numbers_of_numpy_are_numbers() -> None:
    assert positive("eta", np.float32(0.5)) == 0.5
    assert positive("eta", 3) == 3
    assert fraction("mu", np.float64(0)) == 0
    assert positive_int("workers", np.int64(4)) == 4
