"""What a simulated cluster is like: how fast workers, network and server are, who fails when.

All times are virtual seconds: nothing waits for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol

import numpy as np

from distkeras.errors import ConfigError

__all__ = ["Breakdown", "Conditions", "Constant", "Duration", "Exponential"]


class Duration(Protocol):
    """A time that may differ from draw to draw."""

    def draw(self, random: np.random.Generator) -> float:
        """One of them, in seconds, not negative."""


@dataclass(frozen=True)
class Constant:
    """Always the same time.

    Attributes:
        seconds: that long.
    """

    seconds: float

    def __post_init__(self) -> None:
        """Refuses a time that no clock shows."""
        _check_time("seconds", self.seconds)

    def draw(self, random: np.random.Generator) -> float:
        """The time; nothing is drawn."""
        return self.seconds


@dataclass(frozen=True)
class Exponential:
    """An exponentially distributed time, as of machines that others use too.

    Attributes:
        mean: in seconds.
    """

    mean: float

    def __post_init__(self) -> None:
        """Refuses a mean that no clock shows."""
        _check_time("mean", self.mean)

    def draw(self, random: np.random.Generator) -> float:
        """A time, from ``random``."""
        return float(random.exponential(self.mean))


@dataclass(frozen=True)
class Breakdown:
    """The end of a worker's process, and its next attempt.

    Attributes:
        worker: whose, from 0.
        at: when it ends, in seconds from the start.
        restart: seconds until the next attempt begins.
    """

    worker: int
    at: float
    restart: float = 0.0

    def __post_init__(self) -> None:
        """Refuses times that no clock shows."""
        _check_time("at", self.at)
        _check_time("restart", self.restart)


@dataclass(frozen=True)
class Conditions:
    """A simulated cluster.

    Attributes:
        compute: of one mini-batch.
        slowdown: worker -> how many times as long its mini-batches take; 1 for those not named.
        delay: of the network, one way, for each message.
        breakdowns: which workers fail when.
        seed: of all that is drawn here.
        service: how long an exchange keeps one server busy. It serves one after another, as they
            arrive; each is merged and answered when its time is over. Joining takes none.
        servers: that share each exchange, as ``num_parameter_servers`` do: each works on its slice
            of it at the same time, for its part of ``service``.
    """

    compute: Duration = field(default_factory=lambda: Constant(1.0))
    slowdown: Mapping[int, float] = field(default_factory=dict)
    delay: Duration = field(default_factory=lambda: Constant(0.0))
    breakdowns: tuple[Breakdown, ...] = ()
    seed: int = 0
    service: Duration = field(default_factory=lambda: Constant(0.0))
    servers: int = 1

    def __post_init__(self) -> None:
        """Refuses a worker that would take no time, or for ever, and a share of no server."""
        for name in ("compute", "delay", "service"):
            value = getattr(self, name)
            if not hasattr(value, "draw"):
                raise ConfigError(f"{name} is {value!r}, but must be a Duration, as Constant(1.0)")
        for worker, times in self.slowdown.items():
            if not isinstance(times, int | float) or not 0 < times < inf:
                raise ConfigError(f"slowdown of worker {worker} is {times!r}, but must be above 0")
        if not isinstance(self.servers, int) or self.servers < 1:
            raise ConfigError(f"servers is {self.servers!r}, but must be a whole number above 0")

    def check(self, workers: int) -> None:
        """Refuses workers that there are not.

        Raises:
            ConfigError: names the worker.
        """
        for worker in (*self.slowdown, *(breakdown.worker for breakdown in self.breakdowns)):
            if not 0 <= worker < workers:
                raise ConfigError(f"worker {worker} is none of the {workers}, 0 to {workers - 1}")


def _check_time(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < inf:
        raise ConfigError(f"{name} is {value!r}, but must be a time of at least 0 seconds")
