"""The tables of an experiment that are within another one."""

from __future__ import annotations

import re
import sys
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from distkeras.errors import EnvironmentProblem
from distkeras.observers.mlflow_run import check_installed
from distkeras.punchcard.urls import is_server_url

__all__ = ["MlflowSpec", "ModelSpec", "OptimizerSpec", "Section", "SubmitSpec"]


class Section(BaseModel):
    """A frozen table in which an unknown key is an error, and no value is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ModelSpec(Section):
    """``[train.model]``: where the Keras model comes from; exactly one of the two."""

    function: str | None = Field(
        None,
        description='"package.module:function", looked for in the working directory too; called '
        "with the arguments and, where its signature has them, `dimension` (number of features) "
        "and `classes` (number of classes; 1 for regression).",
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of the function."
    )
    file: str | None = Field(None, description="A saved model; its name ends in .keras.")

    @field_validator("function")
    @classmethod
    def _module_and_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"\w+(\.\w+)*:\w+", value):
            raise ValueError("write it as package.module:function")
        return value

    @field_validator("file")
    @classmethod
    def _keras_file(cls, value: str | None) -> str | None:
        if value is not None and not value.endswith(".keras"):
            raise ValueError("a model file's name must end in .keras")
        return value

    @model_validator(mode="after")
    def _one_origin(self) -> ModelSpec:
        if (self.function is None) == (self.file is None):
            raise ValueError("give exactly one of function and file")
        if self.file is not None and self.arguments:
            raise ValueError("arguments go with function, not with file")
        return self


class OptimizerSpec(BaseModel):
    """``[train.worker_optimizer]``: a Keras optimizer's name, and its own arguments."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(description='As Keras knows it: "adam", "sgd", "adagrad", ...')

    @model_validator(mode="before")
    @classmethod
    def _learning_rate(cls, given: Any) -> Any:
        rate = given.get("learning_rate") if isinstance(given, dict) else None
        if rate is None or isinstance(rate, dict):  # a table is a schedule, which Keras checks
            return given
        number = isinstance(rate, int | float) and not isinstance(rate, bool)
        if not number or not 0 < rate <= sys.float_info.max:
            raise ValueError(f"learning_rate = {rate!r}: must be a number greater than 0")
        # Keras takes no integer, and TOML's 1 is one.
        return given | {"learning_rate": float(rate)}

    def to_keras(self) -> str | dict[str, Any]:
        """What ``keras.optimizers.get`` takes: a name, or a class name with a config."""
        arguments = dict(self.model_extra or {})
        return {"class_name": self.name, "config": arguments} if arguments else self.name


class SubmitSpec(Section):
    """``[train.submit]``: the Punchcard server that trains, and what it is asked for."""

    url: str = Field(description="Of the server: https://host:port.")
    num_executors: int = Field(1, ge=1, description="Executors of Spark.")
    num_processes: int | None = Field(
        None, ge=1, description="Cores of each; default: so many that each worker has one."
    )
    executor_memory_mb: int = Field(1024, ge=512, description="MiB of each executor.")
    master: str | None = Field(None, description="One of the server's; default: its first.")
    patience: float = Field(
        120.0, gt=0, description="Seconds for which a server that does not answer is asked again."
    )
    timeout: float | None = Field(
        None, gt=0, description="Seconds until nobody waits for the job; it goes on nevertheless."
    )

    @field_validator("url")
    @classmethod
    def _of_a_server(cls, value: str) -> str:
        if not is_server_url(value):
            raise ValueError("must be like https://host:8000")
        return value.rstrip("/")

    def cores(self, num_workers: int) -> int:
        """Of each executor, for a trainer with so many workers."""
        return self.num_processes or -(-num_workers // self.num_executors)


class MlflowSpec(Section):
    """``[mlflow]``: where trainings and evaluations are logged, too."""

    tracking_uri: str = Field(
        min_length=1,
        description="A server, http://host:5000, or a database, sqlite:///output/mlflow.db.",
    )
    experiment: str = Field(
        "distkeras", min_length=1, description="MLflow's experiment; it is made if there is none."
    )
    patience: float = Field(
        60.0, gt=0, description="Seconds that the end of a task may wait for MLflow."
    )

    @model_validator(mode="after")
    def _is_installed(self) -> MlflowSpec:
        try:
            check_installed()
        except EnvironmentProblem as error:
            raise ValueError(str(error)) from error
        return self
