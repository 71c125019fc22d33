"""``[nightly]`` in an experiment's TOML file: what a day must be like, and what trains on it."""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import Field, field_validator

from tasks.tables import Section

__all__ = ["MEASURES", "NightlySpec"]

Measure = Literal["accuracy", "roc_auc", "log_loss", "loss", "rmse", "mae", "r2"]
#: Whether more of a measure is better.
MEASURES: dict[str, bool] = {
    "accuracy": True,
    "roc_auc": True,
    "log_loss": False,
    "loss": False,
    "rmse": False,
    "mae": False,
    "r2": True,
}


class NightlySpec(Section):
    """``[nightly]``: what the task Nightly takes for a good day, and for a good model."""

    source: str = Field(
        default="",
        description="The source whose path is a directory with one file a day; the others are read "
        "whole. Not needed with one source.",
    )
    file: str = Field(
        default="%Y-%m-%d.csv",
        min_length=1,
        description="The name of a day's file in that directory: %Y, %m and %d stand for the date.",
    )
    window_days: int = Field(default=28, ge=1, description="Days before the tested one that train.")
    min_days: int = Field(
        default=1,
        ge=1,
        description="Accepted days that the window must have; with fewer nothing trains.",
    )
    rows_at_least: float = Field(
        default=0.5, ge=0, description="Of a good day's rows, as a share of the window's mean."
    )
    rows_at_most: float = Field(
        default=2.0, gt=0, description="Of a good day's rows, as a share of the window's mean."
    )
    missing_more: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="How much larger a column's share of missing values may be than the window's.",
    )
    new_categories: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="The share of a day's rows whose category of a column is not in the window. A "
        "class of the label that is not there is never accepted.",
    )
    psi: float = Field(
        default=0.25,
        gt=0,
        description="The population stability index of a column, day against window, from which a "
        "day is bad.",
    )
    psi_of: dict[str, float] = Field(
        default_factory=dict,
        strict=False,
        description="Other limits for single columns; inf for one that may change as it likes, and "
        "have new categories.",
    )
    measure: Measure | None = Field(
        default=None,
        description="By which the new model is compared with the serving one; default: accuracy, "
        "for a regression rmse.",
    )
    tolerance: float = Field(
        default=0.0,
        ge=0,
        description="By how much a new model may be worse and be promoted, in the measure.",
    )
    notify: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description="A command, word by word, that gets each night's record as JSON on its "
        "standard input.",
    )

    @field_validator("file")
    @classmethod
    def _a_date_and_no_folder(cls, value: str) -> str:
        dates = [(2013, 11, 2), (2013, 11, 12), (2013, 12, 2), (2014, 11, 2)]
        made = {datetime.date(*each).strftime(value) for each in dates}
        if len(made) < len(dates):
            raise ValueError("must have the whole date in it, as %Y-%m-%d does")
        if any("/" in each or each.startswith(".") for each in made):
            raise ValueError("must be a file's name, without folders")
        return value

    @field_validator("psi_of")
    @classmethod
    def _limits(cls, value: dict[str, float]) -> dict[str, float]:
        for name, limit in value.items():
            if not limit > 0:
                raise ValueError(f"{name} = {limit}: must be above 0")
        return value

    def psi_limit(self, column: str) -> float:
        """From which a column has drifted too far."""
        return self.psi_of.get(column, self.psi)

    def file_of(self, date: datetime.date) -> str:
        """The name of a day's file."""
        return date.strftime(self.file)

    def measure_for(self, kind: str) -> str:
        """By which models are compared.

        Args:
            kind: of the label, "classes" or "regression".
        """
        return self.measure or ("accuracy" if kind == "classes" else "rmse")
