"""One experiment: a TOML file, checked key by key before anything starts."""

from __future__ import annotations

import datetime
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from distkeras.errors import ConfigError, StorageError
from distkeras.observers.event_files import local_folder
from distkeras.preprocessing.spec import PreprocessSpec
from distkeras.storage import locate
from tasks.complaints import complaint
from tasks.nightly.spec import NightlySpec
from tasks.sweep.space import SweepSpec
from tasks.tables import MlflowSpec, ModelSpec, OptimizerSpec, Section, SubmitSpec
from tasks.variants import CompareSpec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "DEADLINES",
    "EvaluateSpec",
    "Experiment",
    "ModelSpec",
    "OptimizerSpec",
    "SubmitSpec",
    "TrainSpec",
    "load_experiment",
]


#: Keys of ``[train]`` for which each trainer has a default of its own, or no use at all.
#: Keys of ``[train]`` that say how long something waits, and nothing of what is learned.
DEADLINES = ("timeout", "worker_timeout", "round_timeout")
_OPTIONAL = (
    *DEADLINES,
    "num_workers",
    "communication_window",
    "learning_rate",
    "rho",
    "momentum",
    "kappa",
    "outer_learning_rate",
    "outer_momentum",
    "parallelism_factor",
    "memory_mb",
    "compression",
    "overlap",
    "num_parameter_servers",
)
#: As a Punchcard server does, which is not told.
_CHECKPOINT_SECONDS = 60.0


class TrainSpec(Section):
    """``[train]``: the model, the distributed optimizer and what it is given."""

    trainer: str = Field("ADAG", description="The distributed optimizer, by its class name.")
    model: ModelSpec
    worker_optimizer: OptimizerSpec = Field(
        default_factory=lambda: OptimizerSpec(name="adam"),
        description="The optimizer of each worker's local steps: a name, or a table with a name "
        "and the optimizer's own arguments.",
    )
    loss: str = Field(description="A Keras loss, by name.")
    metrics: tuple[str, ...] | None = Field(
        None,
        strict=False,
        description="Keras metrics, by name; default: accuracy for classes, none for regression.",
    )
    num_epoch: int = Field(1, ge=1, description="Passes over the training split.")
    batch_size: int = Field(32, ge=1, description="Rows in one step of one worker.")
    num_workers: int | None = Field(None, ge=1, description="Workers; default: the trainer's.")
    communication_window: int | None = Field(
        None, ge=1, description="Steps between two exchanges; default: the trainer's."
    )
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="Replaces worker_optimizer's; of AEASGD it is eta in alpha = eta rho.",
    )
    rho: float | None = Field(None, gt=0, description="Elastic force, of the elastic optimizers.")
    momentum: float | None = Field(None, ge=0, lt=1, description="Of EAMSGD's and GEM's steps.")
    kappa: float | None = Field(None, gt=0, description="How fast GEM's center may move.")
    outer_learning_rate: float | None = Field(None, gt=0, description="Of DiLoCo's center.")
    outer_momentum: float | None = Field(None, ge=0, lt=1, description="Of DiLoCo's center.")
    parallelism_factor: int | None = Field(
        None, ge=1, description="Shares of the rows for each worker."
    )
    seed: int = Field(
        0, ge=0, lt=2**32, description="Initial weights and the order of rows follow from it."
    )
    memory_mb: int | None = Field(
        None, ge=1, description="MiB of rows that a worker keeps in memory; the rest is on disk."
    )
    compression: str | None = Field(
        None,
        description='How weights travel: "none", "bfloat16", "int8", "top-k" or "top-k:0.05"; '
        "default: none.",
    )
    overlap: bool | None = Field(
        None, description="Train a worker's next window while one is exchanged; default: false."
    )
    num_parameter_servers: int | None = Field(
        None, ge=1, description="Processes that share the center; default: 1, the driver."
    )
    checkpoint_seconds: float = Field(
        _CHECKPOINT_SECONDS,
        ge=0,
        description="Seconds between two checkpoints, from which a killed run goes on; 0 for none.",
    )

    simulated: bool = Field(
        False,
        description="Virtual workers in this process, on a clock of their own, at the costs that "
        "the same training has with one real worker, which is trained for that. Saves nothing on "
        "its way.",
    )
    tensorboard: str | None = Field(
        None,
        min_length=1,
        description="A local folder in which each training writes its event files while it runs.",
    )
    submit: SubmitSpec | None = Field(
        None,
        description="A Punchcard server that is to train in place of this process: its URL, or a "
        'table with it; "": none.',
    )

    timeout: float | None = Field(
        None, gt=0, description="Seconds that a worker waits for the parameter server; 60."
    )
    worker_timeout: float | None = Field(
        None, gt=0, description="Seconds that a connected worker may be silent; 600."
    )
    round_timeout: float | None = Field(
        None, gt=0, description="Seconds that synchronous workers wait for the last of them; 600."
    )

    @field_validator("compression")
    @classmethod
    def _none_is_none(cls, value: str | None) -> str | None:
        # So that naming the default trains nothing anew.
        return None if value == "none" else value

    @field_validator("worker_optimizer", mode="before")
    @classmethod
    def _name_alone(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("submit", mode="before")
    @classmethod
    def _url_alone(cls, value: object) -> object:
        # So that `--set train.submit=` trains here what the file has trained elsewhere.
        return ({"url": value} if value else None) if isinstance(value, str) else value

    @field_validator("tensorboard")
    @classmethod
    def _local(cls, value: str | None) -> str | None:
        return None if value is None else str(local_folder(value))

    @field_validator("trainer")
    @classmethod
    def _known_trainer(cls, value: str) -> str:
        from distkeras.trainers import TRAINERS
        from distkeras.trainers.arguments import trainer_named

        trainer_named(value, TRAINERS)
        return value

    @model_validator(mode="after")
    def _arguments_fit(self) -> TrainSpec:
        from distkeras.trainers import TRAINERS
        from distkeras.trainers.arguments import parameters

        trainer, given = TRAINERS[self.trainer], self.trainer_arguments()
        taken = parameters(trainer)
        for name in given:
            if name not in taken:
                raise ValueError(f"{self.trainer} takes no {name}: remove train.{name}")
        trainer(None, **given)  # raises for values that cannot work together
        return self

    @model_validator(mode="after")
    def _server_saves_as_it_does(self) -> TrainSpec:
        if self.submit is not None and self.checkpoint_seconds != _CHECKPOINT_SECONDS:
            raise ValueError(
                f"a Punchcard server saves every {_CHECKPOINT_SECONDS:g} s, whatever "
                "train.checkpoint_seconds says: remove it, or train.submit"
            )
        return self

    @model_validator(mode="after")
    def _simulated_here(self) -> TrainSpec:
        for name in ("submit", "num_parameter_servers"):
            if self.simulated and getattr(self, name) not in (None, 1):
                raise ValueError(
                    f"simulated workers are in this process, around one server: remove train.{name}"
                )
        return self

    def trainer_arguments(self) -> dict[str, Any]:
        """The keyword arguments of the trainer that the file gives, or that have a default."""
        given = {name: getattr(self, name) for name in _OPTIONAL}
        fixed = {name: getattr(self, name) for name in ("num_epoch", "batch_size", "seed")}
        return fixed | {name: value for name, value in given.items() if value is not None}


class EvaluateSpec(Section):
    """``[evaluate]``: prediction over the test split."""

    batch_size: int = Field(default=4096, ge=1, description="Rows in one call of the model.")
    predictions: bool = Field(
        default=False,
        description="Also keep every row with its prediction, as Parquet in predictions/.",
    )


class Experiment(Section):
    """What one TOML file says."""

    output: str = Field("output", min_length=1, description="The directory of all results.")
    preprocess: PreprocessSpec
    train: TrainSpec
    evaluate: EvaluateSpec = EvaluateSpec()
    compare: CompareSpec = CompareSpec()
    sweep: SweepSpec | None = None
    mlflow: MlflowSpec | None = None
    nightly: NightlySpec = NightlySpec()

    @field_validator("output")
    @classmethod
    def _writable_here(cls, value: str) -> str:
        try:
            path = str(Path(value).expanduser()) if value.startswith("~") else value
            locate(path)
        except RuntimeError as error:
            raise ValueError("no such home directory") from error
        except StorageError as error:
            raise ValueError(str(error).removeprefix(f"{value}: ")) from error
        return path


def load_experiment(path: str, overrides: Sequence[str] = ()) -> Experiment:
    """Reads and checks an experiment.

    Args:
        path: the TOML file.
        overrides: ``"a.b=value"``; the value is read as TOML, or taken as text where it is none.
            ``"a.b="`` takes a key of the file away.

    Raises:
        ConfigError: one line that names the file (or ``--set``), the key and the value.
    """
    tree = _read(path)
    for override in overrides:
        _apply(tree, override)
    try:
        return Experiment.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(complaint(error, Experiment, path, overrides)) from error


def _read(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        near = _neighbour(Path(path))
        raise ConfigError(f"{path}: cannot read the config: {error.strerror}{near}") from error
    except ValueError as error:  # also what is not UTF-8
        raise ConfigError(f"{path}: not TOML: {error}") from error


def _neighbour(path: Path) -> str:
    names = [str(item) for item in path.parent.glob("*.toml")]
    close = difflib.get_close_matches(str(path), names, 1)
    return f"; did you mean {close[0]}?" if close else ""


def _apply(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    *parents, last = key.strip().split(".")
    if not equals or not all([*parents, last]):
        raise ConfigError(f"--set {override}: write it as key=value, e.g. train.num_workers=4")
    node: Any = tree
    for part in parents:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            raise ConfigError(f"--set {override}: {part} is a value, not a table of keys")
    if not text.strip() and last in node:
        del node[last]  # Then its default holds.
    else:
        node[last] = _value(text.strip())


def _value(text: str) -> object:
    if "\n" in text:
        return text
    try:
        parsed: Mapping[str, Any] = tomllib.loads(f"value = {text}")
    except ValueError:
        return text
    # The shell has eaten the quotes that a file has around a date.
    dates = (datetime.date, datetime.time)
    return text if isinstance(parsed["value"], dates) else parsed["value"]
