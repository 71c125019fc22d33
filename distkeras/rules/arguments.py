"""The checks of what the rules' factories are given."""

from __future__ import annotations

from math import inf
from numbers import Integral, Real
from typing import Any

import numpy as np

from distkeras.errors import ConfigError

__all__ = ["alpha_of", "fraction", "positive", "positive_int"]


def positive(name: str, value: Any) -> float:
    """The value, a number above 0 that float32 holds, as the vectors do.

    Raises:
        ConfigError: if it is not; the error quotes it.
    """
    if not _number(value) or not 0 < value < inf:
        raise ConfigError(f"{name} is {value!r}, but must be a number above 0")
    limits = np.finfo(np.float32)
    if not float(limits.tiny) <= value <= float(limits.max):
        raise ConfigError(f"{name} is {value!r}, which float32 does not hold")
    return float(value)


def fraction(name: str, value: Any) -> float:
    """The value, a number from 0 up to 1, but not 1.

    Raises:
        ConfigError: if it is not; the error quotes it.
    """
    if not _number(value) or not 0 <= value < 1:
        raise ConfigError(f"{name} is {value!r}, but must be a number in [0, 1)")
    return float(value)


def positive_int(name: str, value: Any) -> int:
    """The value, a whole number of at least 1.

    Raises:
        ConfigError: if it is not; the error quotes it.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ConfigError(f"{name} is {value!r}, but must be a whole number of at least 1")
    return int(value)


def alpha_of(rho: Any, learning_rate: Any) -> float:
    """The elastic step alpha = eta rho, in (0, 1), where the spring does not overshoot.

    Raises:
        ConfigError: if a factor is not above 0 or alpha not in (0, 1); it quotes both.
    """
    alpha = positive("rho", rho) * positive("learning_rate", learning_rate)
    if not 0 < alpha < 1:
        raise ConfigError(
            f"rho * learning_rate = {rho} * {learning_rate} = {alpha:g}, but must be in (0, 1)"
        )
    return alpha


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)
