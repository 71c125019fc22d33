"""What a preprocessing run is asked to do: the ``[preprocess]`` table of an experiment's TOML."""

from __future__ import annotations

import math
import os
import re
from datetime import date, datetime
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

__all__ = [
    "ENDINGS",
    "CategoricalSpec",
    "Format",
    "LabelSpec",
    "MissingSpec",
    "PreprocessSpec",
    "SourceSpec",
    "SplitSpec",
]

#: How files are written.
Format = Literal["csv", "parquet"]
#: Those that end so.
ENDINGS: dict[str, Format] = {"csv": "csv", "tsv": "csv", "txt": "csv", "parquet": "parquet"}

_VIEW_NAME = re.compile(r"[A-Za-z_]\w*")
_SPLIT_KEYS = {
    "random": {"test", "seed", "stratify"},
    "column": {"column", "test_values"},
    "time": {"column", "test_from"},
}


def _in_32_bits(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


class _Part(BaseModel):
    """A frozen table in which an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceSpec(_Part):
    """One named input; it becomes a view of that name for the SQL statement."""

    path: str = Field(
        min_length=1,
        description="File, directory or glob; a relative path starts at the working directory. "
        "Of a local directory only the files count that have one of the format's endings (see "
        "format; .gz may follow), if there are any.",
    )
    format: Format | None = Field(
        default=None,
        description="How the files are written. Default: by the path's ending (.csv, .csv.gz, "
        ".txt, .tsv are CSV; .parquet is Parquet).",
    )
    header: bool = Field(
        default=True, description="CSV: whether each file starts with column names."
    )
    separator: str = Field(
        default=",", min_length=1, description="CSV: what stands between two values."
    )
    columns: tuple[str, ...] = Field(
        default=(), description="CSV without header: the names of the columns, in order."
    )

    @property
    def kind(self) -> Format | None:
        """How the files are written; None where neither format nor the path's ending tells."""
        last = os.path.basename(self.path.rstrip("/")).removesuffix(".gz")
        return self.format or ENDINGS.get(last.rpartition(".")[2].lower())

    @model_validator(mode="after")
    def _names_or_header(self) -> SourceSpec:
        if not self.header and not self.columns:
            raise ValueError("header = false needs columns = [...], the names in order")
        if self.header and self.columns:
            raise ValueError("columns = [...] is for header = false; rename in the sql instead")
        return self


class MissingSpec(_Part):
    """Which values are missing and what takes their place."""

    values: tuple[float | str, ...] = Field(
        default=(),
        description="Sentinels that mean missing in every column, e.g. [-999.0, 'NA']. Empty "
        "strings, nulls and NaN always are.",
    )
    strategy: Literal["mean", "median", "constant"] = Field(
        default="mean",
        description="What replaces a missing number: the mean or the median (exact to 1/10000 of "
        "the rows) of the column's training values, or the constant.",
    )
    constant: FiniteFloat = Field(
        default=0.0,
        description="The replacement under strategy 'constant', in the column's own unit.",
    )

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numeric sentinels without NaN, each also as a 32-bit column would hold it."""
        given = [v for v in self.values if isinstance(v, float) and not math.isnan(v)]
        return tuple(sorted({*given, *(_in_32_bits(v) for v in given)}))

    @property
    def texts(self) -> tuple[str, ...]:
        """The sentinels that are text."""
        return tuple(v for v in self.values if isinstance(v, str))


class CategoricalSpec(_Part):
    """The columns whose values are names, not quantities."""

    columns: tuple[str, ...] = Field(default=(), description="The categorical columns.")
    encoding: Literal["onehot", "index"] = Field(
        default="onehot",
        description="One feature per category, or one feature that holds its number.",
    )
    unseen: Literal["other", "error"] = Field(
        default="other",
        description="A missing value, or one that training never had: counted as one category "
        "more, '(other)', or an error.",
    )


class LabelSpec(_Part):
    """What is to be predicted."""

    column: str = Field(min_length=1, description="The label's column.")
    kind: Literal["classes", "regression"] = Field(
        default="classes",
        description="Classes of any type, numbered from 0 in sorted order, or a quantity.",
    )


class SplitSpec(_Part):
    """Which rows train and which test."""

    method: Literal["random", "column", "time"] = Field(
        default="random",
        description="By a seeded hash of the row's content, by a column's value, or by time.",
    )
    test: float = Field(default=0.2, gt=0, lt=1, description="random: the share of rows that test.")
    seed: int = Field(
        default=0, ge=-(2**63), lt=2**63, description="random: another seed, another division."
    )
    stratify: bool = Field(
        default=True,
        description="random, classes only: give every class the same share of test rows.",
    )
    column: str | None = Field(default=None, description="column, time: the column that decides.")
    test_values: tuple[bool | int | float | str, ...] = Field(
        default=(), description="column: rows with one of these values test, the others train."
    )
    test_from: int | float | datetime | date | None = Field(
        default=None,
        description="time: rows from this moment on test, earlier ones train. A date, a date "
        "with time (in Spark's session time zone), or a number if the column holds numbers.",
    )

    @field_validator("test_from", mode="before")
    @classmethod
    def _read_time(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            message = f"'{value}' is no ISO date such as '2013-06-01' or '2013-06-01T12:00:00'"
            raise ValueError(message) from None
        return moment

    @field_validator("test_from")
    @classmethod
    def _local_time(cls, value: object) -> object:
        if isinstance(value, datetime) and value.tzinfo is not None:
            raise ValueError(f"{value} must be without offset, in Spark's session time zone")
        return value

    @model_validator(mode="after")
    def _keys_fit_method(self) -> SplitSpec:
        allowed = _SPLIT_KEYS[self.method]
        for key in sorted(self.model_fields_set - allowed - {"method"}):
            raise ValueError(f"{key} has no meaning for method = '{self.method}'")
        for key in sorted(allowed & {"column", "test_values", "test_from"}):
            if getattr(self, key) in (None, ()):
                raise ValueError(f"method = '{self.method}' needs {key}")
        return self


class PreprocessSpec(_Part):
    """Everything that decides what preprocessing writes."""

    sources: dict[str, SourceSpec] = Field(
        min_length=1, description="The inputs, by the name that the SQL statement uses."
    )
    sql: str | None = Field(
        default=None, description="A SELECT over the sources. Optional with exactly one source."
    )
    numeric: tuple[str, ...] | None = Field(
        default=None,
        description="The numeric feature columns. Default: every column that is neither the "
        "label, nor categorical, nor the split's column, nor dropped.",
    )
    drop: tuple[str, ...] = Field(default=(), description="Columns that become no feature.")
    scale: Literal["standard", "minmax", "none"] = Field(
        "standard",
        description="Numeric features: to mean 0 and standard deviation 1 (population), to "
        "[0, 1], or left alone; by the training split's statistics.",
    )
    missing: MissingSpec = Field(default=MissingSpec(), description="Missing values.")
    categorical: CategoricalSpec = Field(
        default=CategoricalSpec(), description="Categorical columns."
    )
    label: LabelSpec = Field(description="The label.")
    split: SplitSpec = Field(default=SplitSpec(), description="Training and test split.")

    @property
    def stratified(self) -> bool:
        """Whether every class gets the same share of test rows."""
        split = self.split
        return split.method == "random" and split.stratify and self.label.kind == "classes"

    @field_validator("sources")
    @classmethod
    def _names_are_identifiers(cls, sources: dict[str, SourceSpec]) -> dict[str, SourceSpec]:
        for name in sources:
            if not _VIEW_NAME.fullmatch(name):
                raise ValueError(f"source name '{name}' is no SQL identifier (letters, digits, _)")
        return sources

    @model_validator(mode="after")
    def _one_role_per_column(self) -> PreprocessSpec:
        if self.sql is None and len(self.sources) > 1:
            raise ValueError(f"{len(self.sources)} sources need sql to join them")
        roles = {"label.column": (self.label.column,), "categorical.columns": ()}
        roles |= {"categorical.columns": self.categorical.columns, "numeric": self.numeric or ()}
        roles["drop"] = self.drop
        seen: dict[str, str] = {}
        for key, columns in roles.items():
            for column in columns:
                if column in seen:
                    raise ValueError(f"column '{column}' is in {seen[column]} and in {key}")
                seen[column] = key
        return self
