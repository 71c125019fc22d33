"""What a sweep searches, and how: ``[sweep]`` in an experiment's TOML file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from tasks.overrides import SECTIONS, leaves, toml, tree
from tasks.tables import Section

__all__ = ["Axis", "SweepSpec"]

# A table with one of these is an axis; any other is a table of keys.
_BOUNDS = frozenset({"low", "high"})
# So many digits of a number that was drawn are used: more are for nobody's eyes.
_DIGITS = 6


class Axis(Section):
    """The values of one key: a list, or a table with `low` and `high`."""

    values: tuple[Any, ...] | None = Field(
        None,
        strict=False,
        min_length=1,
        description="Written as a list in place of the table: `[16, 32, 64]`.",
    )
    low: int | float | None = Field(
        None, description="The least; with `high`. Where both are whole numbers, only such count."
    )
    high: int | float | None = Field(None, description="The greatest.")
    log: bool = Field(
        default=False, description="Draw evenly on a logarithmic scale, as for learning rates."
    )
    step: int | float | None = Field(
        None, description="Only low, low + step, low + 2 step and so on; not with `log`."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Axis:
        numbers = (self.low, self.high, self.step)
        if self.values is not None:
            if self.log or any(number is not None for number in numbers):
                raise ValueError("give either values, or low and high")
            if len(set(self.texts)) < len(self.texts):
                raise ValueError("a value occurs twice")
        elif self.low is None or self.high is None:
            raise ValueError("give a list of values, or low and high")
        elif not all(math.isfinite(number) for number in numbers if number is not None):
            raise ValueError("low, high and step must be finite")
        elif self.low >= self.high:
            raise ValueError(f"low = {self.low} must be less than high = {self.high}")
        return self

    @model_validator(mode="after")
    def _scale_fits(self) -> Axis:
        if self.low is None or self.high is None:
            return self
        if self.log and self.low <= 0:
            raise ValueError(f"low = {self.low} must be above 0 for log = true")
        if self.step is not None:
            if self.log:
                raise ValueError("step and log do not go together")
            count = (self.high - self.low) / self.step if self.step > 0 else 0.0
            if count < 1 or abs(count - round(count)) > 1e-9 * count:
                raise ValueError(f"step = {self.step} must be a whole part of high - low")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers count."""
        return all(isinstance(each, int) for each in (self.low, self.high, self.step or 1))

    @property
    def texts(self) -> list[str]:
        """The values of a list as TOML writes them; of a range its two ends."""
        if self.values is not None:
            return [toml(value) for value in self.values]
        assert self.low is not None
        assert self.high is not None
        return [self.text(self.low), self.text(self.high)]

    def text(self, drawn: float) -> str:
        """A number of the range as TOML writes it, without more digits than matter."""
        if self.whole:
            return str(int(drawn))
        assert self.low is not None
        assert self.high is not None
        short = float(f"{drawn:.{_DIGITS}g}")
        return repr(short if self.low <= short <= self.high else float(drawn))


class SweepSpec(Section):
    """``[sweep]``: what the task Sweep searches, and how."""

    trials: int = Field(
        ge=1, le=100_000, description="Variants in all; raising it trains only the new ones."
    )
    sampler: Literal["tpe", "random"] = Field(
        "tpe",
        description="How the next values are drawn: with regard to the results so far, as the "
        "tree-structured Parzen estimator has it (its first ten trials are random), or without.",
    )
    seed: int = Field(
        0, ge=0, lt=2**32, description="What is drawn follows from it, and from the results."
    )
    objective: Literal["accuracy", "roc_auc", "loss", "rmse", "r2"] | None = Field(
        None,
        description="The measure on the test split by which the best is chosen: the most of "
        "accuracy, roc_auc and r2, the least of the others. Default: accuracy for classes, rmse "
        "for regression.",
    )
    at_once: int = Field(
        1,
        ge=1,
        description="Trials of one round: they are drawn together, know of the results of the "
        "rounds before, and run at the same time if luigi has so many `--workers`.",
    )
    percentile: float = Field(
        50.0,
        gt=0,
        le=100,
        description="A training is stopped when it is not among the best so many percent of the "
        "whole trainings before it at the same point; 50: when it is behind the median; 100: none "
        "is stopped.",
    )
    startup: int = Field(
        5, ge=1, description="Whole trainings that must be there before one is stopped."
    )
    warmup: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="What each training may do first, as a share of the first whole training.",
    )
    watch: str | None = Field(
        None,
        min_length=1,
        description="The measure of the training by which it is stopped: loss, or one of the "
        "metrics. Default: the objective if it is one of them, else loss.",
    )
    space: dict[str, Axis] = Field(
        min_length=1,
        description="The keys of [preprocess], [train] and [evaluate] that are searched, with "
        "their values: `train.batch_size = [16, 64]`.",
    )

    @field_validator("space", mode="before")
    @classmethod
    def _axes(cls, given: Any) -> Any:
        return dict(_axes(given)) if isinstance(given, dict) else given

    @field_validator("space")
    @classmethod
    def _keys_can_vary(cls, space: dict[str, Axis]) -> dict[str, Axis]:
        for key in space:
            if key.split(".")[0] not in SECTIONS:
                raise ValueError(f"{key}: only keys of {', '.join(SECTIONS)} can vary")
        return space

    @property
    def stops(self) -> bool:
        """Whether a training may be stopped."""
        return self.percentile < 100


def _axes(given: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in leaves(tree(given), _BOUNDS):
        yield key, {"values": value} if isinstance(value, list) else value
