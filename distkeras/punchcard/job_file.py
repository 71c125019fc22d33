"""What a job is: JSON, of which every key is checked, and a ``.keras`` file beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from distkeras.errors import ConfigError

__all__ = ["ENDED", "STATES", "JobFile", "ModelPart", "TrainerPart", "job_file"]

#: In the order in which a job goes through them; the last three are ends.
STATES = ("submitted", "queued", "running", "succeeded", "failed", "cancelled")
ENDED = STATES[3:]
#: Tables and lists within each other, in a trainer's arguments: what writes JSON has its limits.
DEEPEST = 50


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
        # Python reads more than JSON has: Infinity, and half characters. TOML has dates.
        try:
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, OverflowError) as error:
            raise ValueError(str(error)) from None
        return value


class ModelPart(_Part):
    """The ``.keras`` file, which is uploaded after this."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Of the file.")
    bytes: int = Field(ge=1, le=2**40, description="In the file.")


class JobFile(_Part):
    """A job."""

    name: str = Field(min_length=1, max_length=200, description="For people; need not be unique.")
    data_path: str = Field(
        min_length=1, max_length=4000, description="Parquet, as the cluster sees it."
    )
    num_executors: int = Field(1, ge=1, le=2**20, description="Executors of Spark.")
    num_processes: int = Field(1, ge=1, le=2**20, description="Cores of each executor.")
    executor_memory_mb: int = Field(1024, ge=512, le=2**30, description="MiB of each executor.")
    master: str | None = Field(
        None, max_length=1000, description="One of the server's; None: its first."
    )
    trainer: TrainerPart
    model: ModelPart

    @field_validator("name", "data_path", "master")
    @classmethod
    def _one_printable_line(cls, value: str | None) -> str | None:
        if value is not None and not value.isprintable():
            raise ValueError("must be one line of printable characters")
        return value


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
