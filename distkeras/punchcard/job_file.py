"""What a job is: JSON, of which every key is checked, and a ``.keras`` file beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from distkeras.errors import ConfigError
from distkeras.preprocessing.spec import PreprocessSpec

__all__ = ["ENDED", "STATES", "JobFile", "ModelPart", "TrainerPart", "as_given", "job_file"]

#: In the order in which a job goes through them; the last three are ends.
STATES = ("submitted", "queued", "running", "succeeded", "failed", "cancelled")
ENDED = STATES[3:]
#: Tables and lists within each other, in a trainer's arguments: what writes JSON has its limits.
DEEPEST = 50
#: Characters of a path.
LONGEST = 4000


class _Part(BaseModel):
    """A frozen table in which an unknown key is an error, and no value is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TrainerPart(_Part):
    """The trainer, by its name, and its arguments without the model."""

    name: str = Field(min_length=1, max_length=100, description="As `distkeras.trainers` has it.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments.")

    @field_validator("arguments")
    @classmethod
    def _not_too_deep(cls, value: dict[str, Any]) -> dict[str, Any]:
        level: list[Any] = [value]
        for _ in range(DEEPEST):
            level = [inner for one in level for inner in _inside(one)]
        if level:
            raise ValueError(f"must be nested no more than {DEEPEST} deep")
        return value

    @field_validator("arguments")
    @classmethod
    def _as_json_has_it(cls, value: dict[str, Any]) -> dict[str, Any]:
        _check_json(value)
        return value


class ModelPart(_Part):
    """The ``.keras`` file, which is uploaded after this."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Of the file.")
    bytes: int = Field(ge=1, le=2**40, description="In the file.")


class JobFile(_Part):
    """A job."""

    name: str = Field(min_length=1, max_length=200, description="For people; need not be unique.")
    data_path: str | None = Field(
        None,
        min_length=1,
        max_length=LONGEST,
        description="Parquet with the trainer's columns, as the cluster sees it. In place of "
        "`preprocess`.",
    )
    num_executors: int = Field(1, ge=1, le=2**20, description="Executors of Spark.")
    num_processes: int = Field(1, ge=1, le=2**20, description="Cores of each executor.")
    executor_memory_mb: int = Field(1024, ge=512, le=2**30, description="MiB of each executor.")
    master: str | None = Field(
        None, max_length=1000, description="One of the server's; None: its first."
    )
    preprocess: PreprocessSpec | None = Field(
        None,
        description="In place of `data_path`: raw data, of which a training split is made first. "
        "One source, whose path is plain and absolute, as the cluster sees it; no `sql`.",
    )
    trainer: TrainerPart
    model: ModelPart

    @property
    def reads(self) -> dict[str, str]:
        """The paths of what it reads, by the keys that have them."""
        if self.preprocess is None:
            return {"data_path": self.data_path or ""}
        sources = self.preprocess.sources
        return {f"preprocess.sources.{name}.path": one.path for name, one in sources.items()}

    @model_validator(mode="before")
    @classmethod
    def _one_source_and_no_sql(cls, given: Any) -> Any:
        # First of all: the other checks of two sources ask for the sql that joins them.
        table = given.get("preprocess") if isinstance(given, Mapping) else None
        table = as_given(table) if isinstance(table, PreprocessSpec) else table
        if isinstance(table, Mapping):
            _check_no_sql(table)
        return given

    @field_validator("name", "data_path", "master")
    @classmethod
    def _one_printable_line(cls, value: str | None) -> str | None:
        if value is not None:
            _check_line(value)
        return value

    @field_validator("preprocess")
    @classmethod
    def _as_json_has_it(cls, spec: PreprocessSpec | None) -> PreprocessSpec | None:
        if spec is not None:
            _check_json(as_given(spec))
        return spec

    @model_validator(mode="after")
    def _data_that_can_be_found(self) -> JobFile:
        if self.data_path is None and self.preprocess is None:
            raise ValueError("data_path: is missing; give it, or preprocess")
        if self.data_path is not None and self.preprocess is not None:
            raise ValueError("data_path: must not be given with preprocess, which has its own path")
        if self.preprocess is not None:
            _check_sources(self.preprocess)
        return self

    @field_serializer("preprocess", when_used="unless-none")
    def _preprocess_as_given(self, spec: PreprocessSpec) -> dict[str, Any]:
        return as_given(spec)

    @model_serializer(mode="wrap")
    def _without_what_it_has_not(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A job that was written down before there was a `preprocess` is still the same job.
        told: dict[str, Any] = handler(self)
        if self.preprocess is None:
            told.pop("preprocess", None)
        return told


def as_given(spec: PreprocessSpec) -> dict[str, Any]:
    """A spec as JSON, with the keys only that were given: some methods of a split refuse others."""
    return spec.model_dump(mode="json", exclude_unset=True)


def _check_json(value: Any) -> None:
    """Refuses what Python has and JSON has not: Infinity, half characters, TOML's dates.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, OverflowError) as error:
        raise ValueError(str(error)) from None


def _check_no_sql(table: Mapping[str, Any]) -> None:
    if table.get("sql") is not None:
        raise ValueError(
            "preprocess.sql: is not for jobs, as Spark's SQL reads any path and calls any code; "
            "write one table, and give that"
        )
    sources = table.get("sources")
    if isinstance(sources, Mapping) and len(sources) > 1:
        raise ValueError(f"preprocess.sources: are {len(sources)}, but a job has one, and no sql")


def _check_sources(spec: PreprocessSpec) -> None:
    for name, source in spec.sources.items():
        place = f"preprocess.sources.{name}.path"
        try:
            _check_line(source.path)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        if len(source.path) > LONGEST:
            raise ValueError(f"{place}: must have at most {LONGEST} characters")
        if source.kind is None:
            raise ValueError(
                f"{place}: '{source.path}' does not tell its format; add format = 'csv' or "
                "'parquet' to the source"
            )


def _check_line(value: str) -> None:
    if not value.isprintable():
        raise ValueError("must be one line of printable characters")


def _inside(value: Any) -> Iterable[Any]:
    """The tables and lists in one."""
    found = value.values() if isinstance(value, dict) else value
    return [one for one in found if isinstance(one, dict | list)]


def job_file(given: Any) -> JobFile:
    """A job from JSON or TOML that was read.

    Raises:
        ConfigError: one line that names the key.
    """
    try:
        return JobFile.model_validate(given)
    except ValidationError as error:
        raise ConfigError(complaint(error)) from None


def complaint(error: ValidationError) -> str:
    """What pydantic found first, in one line, without more of the value than is needed."""
    return line_of(error.errors(include_url=False, include_input=False)[0])


def line_of(found: Any) -> str:
    """One of the things that pydantic found, in one line of ASCII."""
    place = ".".join(str(part) for part in found["loc"] if part != "body")
    text = str(found["msg"]).removeprefix("Value error, ").replace("Input", "the value", 1)
    return re.sub(r"[^ -~]+", " ", f"{place}: {text}" if place else text)[:300]
