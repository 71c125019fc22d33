"""Which column is what: the user's names, and the fixed ones that a worker's rows have.

A column is renamed once, on the way to the worker: features are x0, x1, ... in the order of the
model's inputs, labels y0, y1, ... in the order of its outputs, the sample weight is w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from distkeras.errors import ConfigError

__all__ = ["KEY", "SAMPLE_WEIGHT", "Columns", "feature", "label", "names_of"]

#: The column by which a worker sorts its rows, and the one of their weights.
KEY, SAMPLE_WEIGHT = "key", "w"


def feature(number: int) -> str:
    """The fixed name of the column for the model's input of this number, from 0."""
    return f"x{number}"


def label(number: int) -> str:
    """The fixed name of the column for the model's output of this number, from 0."""
    return f"y{number}"


@dataclass(frozen=True)
class Columns:
    """The user's names of the columns that training reads.

    Attributes:
        features: one for each input of the model, in its order.
        labels: one for each output of the model, in its order.
        sample_weight: how much a row counts, a number of at least 0; None: each counts 1.
    """

    features: tuple[str, ...] = ("features",)
    labels: tuple[str, ...] = ("label",)
    sample_weight: str | None = None

    @classmethod
    def of(cls, features_col: Any, label_col: Any, sample_weight_col: Any = None) -> Columns:
        """From a trainer's arguments.

        Args:
            features_col: a name or a list of names.
            label_col: likewise.
            sample_weight_col: a name or None.

        Raises:
            ConfigError: for what is no name.
        """
        features, labels = names_of(features_col, "features_col"), names_of(label_col, "label_col")
        if sample_weight_col is not None and not isinstance(sample_weight_col, str):
            raise ConfigError(f"sample_weight_col is {sample_weight_col!r}, but must be a name")
        return cls(features, labels, sample_weight_col)

    @property
    def fixed(self) -> dict[str, str]:
        """The user's name of each column by its fixed name: x0, ..., y0, ..., w."""
        named = {feature(number): name for number, name in enumerate(self.features)}
        named |= {label(number): name for number, name in enumerate(self.labels)}
        return named if self.sample_weight is None else named | {SAMPLE_WEIGHT: self.sample_weight}


def names_of(value: Any, argument: str) -> tuple[str, ...]:
    """A name or a list of names as a tuple.

    Args:
        value: what the user gave.
        argument: where, for the message.

    Raises:
        ConfigError: for anything else, and for an empty list.
    """
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{argument} is {value!r}, but must be a name or a list of names")
    if not names:
        raise ConfigError(f"{argument} is empty, but must be a name or a list of names")
    return tuple(names)
