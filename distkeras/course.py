"""What one call of ``train`` is told beside the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from distkeras.checkpoints import Checkpoint
from distkeras.engines.conditions import Conditions
from distkeras.errors import ConfigError
from distkeras.monitor import Validation
from distkeras.observers import Observer
from distkeras.stopping import StopCondition

__all__ = ["Course"]


@dataclass(frozen=True)
class Course:
    """What one call of ``train`` is told beside the rows.

    Attributes:
        shuffle: draw who gets which row.
        validation: how the center is measured meanwhile.
        stop: conditions that end the training.
        checkpoint: where the training is saved; None: nowhere.
        conditions: of a simulation; None trains for real.
        observers: that are shown the training as it goes.
    """

    shuffle: bool = False
    validation: Validation | None = None
    stop: Sequence[StopCondition] = ()
    checkpoint: Checkpoint | None = None
    conditions: Conditions | None = None
    observers: Sequence[Observer] = ()

    def __post_init__(self) -> None:
        """Refuses what is none of these, before anything is done with it."""
        for name, value, kind in (
            ("validation", self.validation, Validation),
            ("checkpoint", self.checkpoint, Checkpoint),
            ("conditions", self.conditions, Conditions),
        ):
            if value is not None and not isinstance(value, kind):
                raise ConfigError(f"{name} is {value!r}, but must be a {kind.__name__}")
        _check_list("stop", self.stop, "conditions")
        _check_list("observers", self.observers, "observers")
        for condition in self.stop:
            if not hasattr(condition, "reason"):
                raise ConfigError(f"stop: {condition!r} is no condition, such as TargetLoss(0.1)")
        for observer in self.observers:
            if not isinstance(observer, Observer):
                raise ConfigError(f"observers: {observer!r} is none, such as EventFiles('folder')")


def _check_list(name: str, given: Any, of: str) -> None:
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ConfigError(f"{name} is {given!r}, but must be a list of {of}")
