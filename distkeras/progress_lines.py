"""How far a training is, in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distkeras.history import Progress

__all__ = ["describe"]

# What the phases of a trainer, and of a job before it, are called where nothing else is known yet.
PHASES = {
    "preprocess": "preprocessing",
    "check": "training: looking at the rows",
    "start": "training: starting the workers",
    "finish": "training: finishing",
}


def describe(now: Progress) -> str:
    """Samples/s, loss and time left, as far as they are known."""
    parts = []
    if now.samples_per_second > 0:
        parts.append(f"{now.samples_per_second:,.0f} samples/s")
    if not math.isnan(now.loss):
        parts.append(f"loss {now.loss:.4f}")
    if not math.isnan(now.seconds_left):
        parts.append(f"{_duration(now.seconds_left)} left")
    return ", ".join(parts) or PHASES.get(now.phase, now.phase)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
