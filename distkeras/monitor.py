"""What the driver does while the workers train: tells, validates, stops."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np

from distkeras.errors import ConfigError
from distkeras.rules.arguments import positive
from distkeras.server import ParameterServer
from distkeras.stopping import (
    NoImprovement,
    Standing,
    StopCondition,
    TargetMetric,
    Validated,
    better,
    check_mode,
)
from distkeras.vectors import Vector

__all__ = ["Monitor", "Validation", "check_measures"]

#: Windows over which the training loss is averaged; for each worker at least two of them where
#: there are so many.
RECENT = 20


@dataclass(frozen=True)
class Validation:
    """How the center is measured while the workers train.

    Attributes:
        rows: as for ``train``, with the same columns; they are gathered on the driver.
        every_epochs: passes over the training data between two measurements; where epochs end
            faster than the driver looks, some are passed over. None: as seconds say.
        every_seconds: between two measurements; None: as epochs say.
        keep_best: the measure by which the best center is kept and returned; None: the last.
        mode: "min" where less of it is better, "max" where more; None goes by its name.
    """

    rows: Any
    every_epochs: float | None = 1.0
    every_seconds: float | None = None
    keep_best: str | None = None
    mode: str | None = None

    def __post_init__(self) -> None:
        """Refuses intervals that never end."""
        check_mode(self.mode)
        if self.keep_best is not None and not isinstance(self.keep_best, str):
            raise ConfigError(f"keep_best is {self.keep_best!r}, but must be a measure's name")
        for name, value in (
            ("every_epochs", self.every_epochs),
            ("every_seconds", self.every_seconds),
        ):
            if value is not None:
                positive(name, value)
        if self.every_epochs is None and self.every_seconds is None:
            raise ConfigError("Validation needs every_epochs or every_seconds")


def check_measures(
    conditions: Sequence[StopCondition], validation: Validation | None, names: Sequence[str]
) -> None:
    """Refuses measures that will not be there, before anything is trained.

    Args:
        conditions: that may end the training.
        validation: as given.
        names: of the model's metrics, the loss first.

    Raises:
        ConfigError: names the measure, and the nearest that there is.
    """
    known = [f"val_{name}" for name in names]
    asked = [one.name for one in conditions if isinstance(one, NoImprovement | TargetMetric)]
    if validation is None and asked:
        raise ConfigError(f"to stop by {asked[0]!r} train needs a validation")
    if validation is not None and validation.keep_best is not None:
        asked.append(validation.keep_best)
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.0)[0]
            raise ConfigError(f"validation has no measure {name!r}; the nearest is {near!r}")


@dataclass
class Monitor:
    """Looks at the server now and then.

    Attributes:
        server: the center.
        rows: in one epoch.
        conditions: that may end the training.
        validation: when to measure; None: never.
        measure: (center) -> its measures by name.
        validations: so far.
        best: the best center so far, shape (P,), by ``validation.keep_best``; None before.
    """

    server: ParameterServer
    rows: int
    conditions: Sequence[StopCondition] = ()
    validation: Validation | None = None
    measure: Callable[[Vector], dict[str, float]] = lambda center: {}
    validations: list[Validated] = field(default_factory=list)
    best: Vector | None = None

    def __post_init__(self) -> None:
        """Starts the clock."""
        self._began = self._validated = self.server.now()
        self._stopped = ""

    def stop(self, reason: str) -> None:
        """Ends the training at the next look; from any thread."""
        self._stopped = self._stopped or reason

    def restore(self, validations: Sequence[Validated], best: Vector | None) -> None:
        """Goes on from what another process has measured."""
        self.validations, self.best = list(validations), best

    def look(self) -> None:
        """Validates if it is time to, and stops the training if a condition says so."""
        if self.server.stopped:
            return
        if self.validation is not None and self._due(self.validation):
            self._validate(self.validation)
        seconds, server = self.server.now() - self._began, self.server
        windows = (server.history, server.metrics, self.rows)
        standing = Standing(seconds, self._loss(), self.validations, *windows)
        reasons = (self._stopped, *(one.reason(standing) for one in self.conditions))
        reason = next(filter(None, reasons), "")
        if reason:
            self.server.stop(reason)

    def finish(self) -> None:
        """Measures the last center, if it was not yet."""
        merged = self.server.rows_merged
        if self.validation is not None and (
            not self.validations or self.validations[-1].rows != merged
        ):
            self._validate(self.validation)

    def _due(self, validation: Validation) -> bool:
        epochs, seconds = validation.every_epochs, validation.every_seconds
        before = self.validations[-1].rows if self.validations else 0
        merged = self.server.rows_merged
        if epochs is not None and merged // (epochs * self.rows) > before // (epochs * self.rows):
            return True
        waited = self.server.now() - self._validated
        return seconds is not None and merged > before and waited >= seconds

    def _validate(self, validation: Validation) -> None:
        center, merged, now = self.server.center_now()
        measures = self.measure(center)
        name = validation.keep_best
        if name is not None:
            known = [one.measures[name] for one in self.validations]
            if not known or all(
                better(name, measures[name], value, mode=validation.mode) for value in known
            ):
                self.best = center
        self.validations.append(Validated(merged, merged / self.rows, now, measures))
        self._validated = self.server.now()

    def _loss(self) -> float:
        history, workers = self.server.history, self.server.workers
        count = max(RECENT, 2 * workers)
        # Where windows are long there may never be so many of them: an epoch is enough, too.
        if len(history) < count and (len(history) < workers or self.server.rows_merged < self.rows):
            return nan
        recent = history[-count:]
        losses = [record.metrics[0] for record in recent]
        return float(np.average(losses, weights=[record.samples for record in recent]))
