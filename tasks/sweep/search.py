"""Drawing the values of trials: the same again from the same seed and the same results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tasks.sweep.goal import Goal, less_is_better
from tasks.sweep.optuna_here import import_optuna
from tasks.sweep.space import Axis, SweepSpec

__all__ = ["Drawn", "Outcome", "Search", "Stopped"]


class Drawn(NamedTuple):
    """What one trial is to try.

    Attributes:
        number: from 1.
        values: by key, as TOML writes them.
    """

    number: int
    values: Mapping[str, str]

    @property
    def overrides(self) -> tuple[str, ...]:
        """As ``--set`` has them."""
        return tuple(f"{key}={value}" for key, value in self.values.items())


@dataclass(frozen=True)
class Stopped:
    """A training that was ended before its end.

    Attributes:
        because: why, in one line.
        epochs: passes over the rows until then; None where that is not known.
        of: passes that there were to be.
        told: what was watched, by stretch.
    """

    because: str
    epochs: float | None
    of: int
    told: Mapping[int, float]


@dataclass(frozen=True)
class Outcome:
    """What has become of a trial; one of these.

    Attributes:
        value: of the objective.
        stopped: how its training was ended.
        failed: why there is nothing of it, in one line.
    """

    value: float | None = None
    stopped: Stopped | None = None
    failed: str = ""


class Search:
    """A study of optuna's that lives in memory.

    Args:
        spec: the space, the sampler and its seed.
        goal: what is searched for.

    Raises:
        EnvironmentProblem: optuna is not installed.
    """

    def __init__(self, spec: SweepSpec, goal: Goal) -> None:
        optuna = import_optuna()
        samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
        self._spec, self._states = spec, optuna.trial.TrialState
        self._study = optuna.create_study(
            direction="minimize" if goal.less_is_better else "maximize",
            sampler=samplers[spec.sampler](seed=spec.seed),
        )
        # The study has one direction: what is watched may have the other one.
        self._sign = 1 if goal.less_is_better == less_is_better(goal.watched) else -1
        self._open: dict[int, Any] = {}

    def draw(self) -> Drawn:
        """The next trial."""
        trial = self._study.ask()
        values = {key: _drawn(trial, key, axis) for key, axis in self._spec.space.items()}
        self._open[trial.number + 1] = trial
        return Drawn(trial.number + 1, values)

    def tell(self, number: int, outcome: Outcome) -> None:
        """What has become of a trial that was drawn, once."""
        trial = self._open.pop(number)
        if outcome.stopped is not None:
            for stretch, value in outcome.stopped.told.items():
                trial.report(self._sign * value, stretch)
            self._study.tell(trial, state=self._states.PRUNED)
        elif outcome.value is not None:
            self._study.tell(trial, outcome.value)
        else:
            self._study.tell(trial, state=self._states.FAIL)


def _drawn(trial: Any, key: str, axis: Axis) -> str:
    if axis.values is not None:
        return str(trial.suggest_categorical(key, axis.texts))
    if axis.whole:
        step = 1 if axis.step is None else axis.step
        return axis.text(trial.suggest_int(key, axis.low, axis.high, step=step, log=axis.log))
    bounds = (key, float(axis.low or 0), float(axis.high or 0))
    return axis.text(trial.suggest_float(*bounds, step=axis.step, log=axis.log))
