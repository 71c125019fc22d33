"""When to stop training before the data ends: conditions that the driver looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan, nan
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from distkeras.errors import ConfigError

if TYPE_CHECKING:
    from distkeras.conversation import Record

__all__ = [
    "Deadline",
    "NoImprovement",
    "Standing",
    "StopCondition",
    "TargetLoss",
    "TargetMetric",
    "Validated",
    "better",
    "check_mode",
]


#: Parts of the names of measures of which less is better.
_LOWER = (
    "loss",
    "error",
    "entropy",
    "mse",
    "mae",
    "mape",
    "hinge",
    "divergence",
    "poisson",
    "cosh",
)


class Validated(NamedTuple):
    """The center's measures on the validation rows at one moment.

    Attributes:
        rows: rows merged into the center by then; a row counts once for each epoch.
        epoch: passes over the data by then.
        timestamp: seconds since 1970, or of a simulation's clock.
        measures: by name, ``val_loss`` first.
    """

    rows: int
    epoch: float
    timestamp: float
    measures: dict[str, float]


class Standing(NamedTuple):
    """How a training stands at one moment.

    Attributes:
        seconds: since it began.
        loss: mean of the latest windows; NaN while there are too few of them.
        validations: so far.
        windows: merged so far, in the order of merging.
        metrics: the names of a window's metrics, the loss first.
        rows: in one epoch.
    """

    seconds: float
    loss: float = nan
    validations: Sequence[Validated] = ()
    windows: Sequence[Record] = ()
    metrics: Sequence[str] = ()
    rows: int = 0


class StopCondition(Protocol):
    """Something that may end a training."""

    def reason(self, standing: Standing) -> str:
        """Why to stop now, in a few words; empty to go on."""


@dataclass(frozen=True)
class TargetLoss:
    """Stop when the training loss, averaged over the latest windows, is low enough.

    Attributes:
        value: that low.
    """

    value: float

    def __post_init__(self) -> None:
        """Refuses what no loss can reach."""
        _check_number("TargetLoss", self.value)

    def reason(self, standing: Standing) -> str:
        """See ``StopCondition``."""
        return f"loss {standing.loss:.6g}" if standing.loss <= self.value else ""


@dataclass(frozen=True)
class TargetMetric:
    """Stop when a measure on the validation rows is good enough.

    Attributes:
        name: as in the validations: ``val_loss``, ``val_accuracy`` and so on.
        value: that good.
        mode: "min" where less is better, "max" where more; None goes by the name: less is better
            of losses and errors, more of the rest.
    """

    name: str
    value: float
    mode: str | None = None

    def __post_init__(self) -> None:
        """Refuses what no metric can reach."""
        _check_number(f"TargetMetric of {self.name!r}", self.value)
        check_mode(self.mode)

    def reason(self, standing: Standing) -> str:
        """See ``StopCondition``."""
        if not standing.validations:
            return ""
        found = standing.validations[-1].measures[self.name]
        reached = found == self.value or better(self.name, found, self.value, mode=self.mode)
        return f"{self.name} {found:.6g}" if reached else ""


@dataclass(frozen=True)
class NoImprovement:
    """Stop when a measure on the validation rows has not become better for a while.

    Attributes:
        name: as in the validations.
        patience: validations without a better one than the best before.
        min_delta: what counts as better.
        mode: as in ``TargetMetric``.
    """

    name: str = "val_loss"
    patience: int = 3
    min_delta: float = 0.0
    mode: str | None = None

    def __post_init__(self) -> None:
        """Refuses a patience that ends before it begins."""
        if isinstance(self.patience, bool) or not isinstance(self.patience, int):
            raise ConfigError(f"patience is {self.patience!r}, but must be a whole number")
        if self.patience < 1:
            raise ConfigError(f"patience is {self.patience}, but must be at least 1")
        _check_number("min_delta", self.min_delta)
        check_mode(self.mode)

    def reason(self, standing: Standing) -> str:
        """See ``StopCondition``."""
        best, since = nan, 0
        for validated in standing.validations:
            found, since = validated.measures[self.name], since + 1
            if isnan(best) or better(self.name, found, best, self.min_delta, self.mode):
                best, since = found, 0
        return f"{self.name} no better than {best:.6g}" if since >= self.patience else ""


@dataclass(frozen=True)
class Deadline:
    """Stop when the training has lasted so long; a window or round that runs is finished.

    Attributes:
        seconds: that long; in a simulation, virtual ones.
    """

    seconds: float

    def __post_init__(self) -> None:
        """Refuses a deadline that has passed."""
        _check_number("Deadline", self.seconds)
        if self.seconds <= 0:
            raise ConfigError(f"Deadline is {self.seconds!r} s, but must be above 0")

    def reason(self, standing: Standing) -> str:
        """See ``StopCondition``."""
        return f"{self.seconds:g} s have passed" if standing.seconds >= self.seconds else ""


def better(
    name: str, found: float, before: float, min_delta: float = 0.0, mode: str | None = None
) -> bool:
    """Whether a measure is better than another by more than ``min_delta``.

    Args:
        name: of the measure; less is better of losses and errors, more of the rest.
        found: the one.
        before: the other; anything is better than NaN.
        min_delta: what the difference must exceed.
        mode: "min" or "max", where the name would mislead.
    """
    less = any(part in name for part in _LOWER) if mode is None else mode == "min"
    gain = before - found if less else found - before
    return gain > min_delta or (isnan(before) and not isnan(found))


def check_mode(mode: Any) -> None:
    """Refuses what is no direction.

    Raises:
        ConfigError: quotes it.
    """
    if mode not in (None, "min", "max"):
        raise ConfigError(f"mode is {mode!r}, but must be 'min', 'max' or None")


def _check_number(what: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -inf < value < inf:
        raise ConfigError(f"{what} is {value!r}, but must be a number")
