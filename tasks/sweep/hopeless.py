"""When the training of a trial is stopped: when it is behind those of the trials before it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distkeras.stopping import Standing
from tasks.sweep.goal import less_is_better
from tasks.sweep.optuna_here import import_optuna

__all__ = ["Curve", "Hopeless", "Yardstick"]

#: Trainings are compared so many times within the length of the first whole one.
STRETCHES = 20


class Curve:
    """A measure of a training, averaged over stretches of equally many rows.

    What is known of a stretch that has passed does not depend on when one looks.

    Args:
        size: rows of a stretch.
    """

    def __init__(self, size: float) -> None:
        self.size, self.merged = max(1.0, size), 0
        self._sums: dict[int, tuple[int, float]] = {}

    def add(self, rows: int, value: float) -> None:
        """The next window; it belongs to the stretch in which it begins."""
        stretch = self._passed + 1
        self.merged += rows
        if math.isfinite(value):
            before, total = self._sums.get(stretch, (0, 0.0))
            self._sums[stretch] = (before + rows, total + rows * value)

    @property
    def means(self) -> dict[int, float]:
        """Of the stretches that have passed, by their numbers, from 1."""
        passed = self._passed
        return {
            number: total / rows for number, (rows, total) in self._sums.items() if number <= passed
        }

    @property
    def _passed(self) -> int:
        # Rows are whole, and the end of a stretch is not exact.
        return int((self.merged + 0.5) / self.size)


@dataclass(frozen=True)
class Yardstick:
    """What a training has to keep up with.

    Attributes:
        measure: of the training, by name.
        percentile: it shall be among the best so many percent.
        warmup: stretches that it may train first.
        passes: over the rows, of one stretch.
        rivals: the means of trainings that came to their end, by stretch.
    """

    measure: str
    percentile: float
    warmup: int
    passes: float
    rivals: Sequence[Mapping[int, float]]

    def limit(self, stretch: int) -> float:
        """What the measure must not be worse than after that stretch; NaN for no matter what."""
        values = [one[stretch] for one in self.rivals if stretch in one]
        share = self.percentile if less_is_better(self.measure) else 100 - self.percentile
        return float(np.percentile(values, share)) if values else math.nan


class Hopeless:
    """Stops a training that is behind, by optuna's percentile rule; a ``StopCondition``.

    Its best mean so far is compared with those of the others after the same stretch.

    Args:
        yardstick: the others.
        epochs: of the whole training.

    Attributes:
        told: the training's own means, by stretch.
        at: the epochs after which it was stopped; NaN before.
    """

    def __init__(self, yardstick: Yardstick, epochs: int) -> None:
        self._yardstick, self._epochs = yardstick, epochs
        self._curve: Curve | None = None
        self._seen = 0
        self._trial = _trial_among(yardstick)
        self.told: dict[int, float] = {}
        self.at = math.nan

    def reason(self, standing: Standing) -> str:
        """See ``StopCondition``."""
        if not standing.windows:
            return ""
        curve = self._followed(standing)
        if curve.merged >= self._epochs * standing.rows:
            return ""  # It is through anyway.
        for stretch, value in sorted(curve.means.items()):
            if stretch in self.told:
                continue
            self.told[stretch] = value
            self._trial.report(value, stretch)
            if self._trial.should_prune():
                return self._words(stretch)
        return ""

    def _followed(self, standing: Standing) -> Curve:
        if self._curve is None:
            self._curve = Curve(self._yardstick.passes * standing.rows)
        column = standing.metrics.index(self._yardstick.measure)
        windows = standing.windows[self._seen :]
        for window in windows:
            self._curve.add(window.samples, window.metrics[column])
        self._seen += len(windows)
        return self._curve

    def _words(self, stretch: int) -> str:
        stick = self._yardstick
        best = (min if less_is_better(stick.measure) else max)(self.told.values())
        self.at = stretch * stick.passes
        share = f"the best {stick.percentile:g} % of" if stick.percentile != 50 else "the median of"
        number = sum(stretch in one for one in stick.rivals)
        others = "training" if number == 1 else "trainings"
        return (
            f"its best training {stick.measure} so far, {best:.4g}, was behind {share} {number} "
            f"{others} at that point, {stick.limit(stretch):.4g}"
        )


def _trial_among(yardstick: Yardstick) -> Any:
    """A trial of optuna's that knows the others and is told how this one goes."""
    optuna = import_optuna()
    pruner = optuna.pruners.PercentilePruner(
        yardstick.percentile, n_startup_trials=0, n_warmup_steps=yardstick.warmup
    )
    direction = "minimize" if less_is_better(yardstick.measure) else "maximize"
    study = optuna.create_study(direction=direction, pruner=pruner)
    for rival in yardstick.rivals:
        value = rival[max(rival)] if rival else math.inf
        study.add_trial(optuna.trial.create_trial(value=value, intermediate_values=dict(rival)))
    return study.ask()
