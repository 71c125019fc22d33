"""The experiment's model and trainer, made and checked before Spark is asked for anything."""

from __future__ import annotations

import inspect
from math import prod
from typing import TYPE_CHECKING, Any

from distkeras.errors import ConfigError, DistkerasError
from distkeras.models import check_single
from distkeras.storage import load_model
from tasks.config import Experiment, ModelSpec
from tasks.modules import import_function, raised

if TYPE_CHECKING:
    from distkeras.preprocessing.preprocessor import Preprocessor
    from distkeras.trainers import Trainer

__all__ = ["make_model", "make_trainer", "training_metrics"]


def make_model(experiment: Experiment, preprocessor: Preprocessor) -> Any:
    """The Keras model, from the function or the file that the config names.

    Args:
        experiment: whose ``[train.model]`` and ``train.seed`` are used.
        preprocessor: fitted; tells how many features and classes there are.

    Raises:
        ConfigError: the function cannot be called, or what it returns does not fit the data.
        StorageError: the file cannot be loaded.
    """
    import keras

    keras.utils.set_random_seed(experiment.train.seed)
    spec = experiment.train.model
    classes = len(preprocessor.classes) if preprocessor.classes else 1
    if spec.file is not None:
        model = load_model(spec.file)
    else:
        model = _call(spec, {"dimension": preprocessor.dimension, "classes": classes})
    _check_fits(model, _origin(spec), preprocessor.dimension, classes)
    return model


def make_trainer(experiment: Experiment, model: Any) -> Trainer:
    """The trainer that the config names.

    Raises:
        ConfigError: Keras does not know the optimizer, the loss or a metric.
    """
    from distkeras.compilation import CompileArguments, compiled_copy
    from distkeras.trainers import TRAINERS

    spec = experiment.train
    optimizer = spec.worker_optimizer.to_keras()
    metrics = training_metrics(experiment)
    # The trainer does this too, but only when Spark runs already.
    compiled_copy(model, CompileArguments(optimizer, spec.loss, metrics))
    trainer = TRAINERS[spec.trainer]
    return trainer(model, optimizer, spec.loss, metrics, **spec.trainer_arguments())


def training_metrics(experiment: Experiment) -> list[str]:
    """The metrics that a training measures beside its loss, by name."""
    given = experiment.train.metrics
    if given is not None:
        return list(given)
    return ["accuracy"] if experiment.preprocess.label.kind == "classes" else []


def _call(spec: ModelSpec, known: dict[str, int]) -> Any:
    assert spec.function is not None
    function = import_function(spec.function)
    taken = inspect.signature(function).parameters
    arguments = {name: value for name, value in known.items() if name in taken} | spec.arguments
    try:
        inspect.signature(function).bind(**arguments)
    except TypeError as error:
        raise ConfigError(f"train.model.arguments: {spec.function}: {error}") from error
    try:
        return function(**arguments)
    except DistkerasError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"train.model: {spec.function} raised {raised(error)}") from error


def _origin(spec: ModelSpec) -> str:
    if spec.file is not None:
        return f"train.model.file = {spec.file!r}"
    return f"train.model.function = {spec.function!r}"


def _check_fits(model: Any, origin: str, dimension: int, classes: int) -> None:
    check_single(model, origin)
    inputs, outputs = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
    if None not in inputs and prod(inputs) != dimension:
        raise ConfigError(
            f"{origin}: the model's input shape is {inputs}, the data has {dimension} features"
        )
    if None not in outputs and prod(outputs) != classes and (prod(outputs), classes) != (1, 2):
        what = f"{classes} classes" if classes > 1 else "one number as label"
        raise ConfigError(f"{origin}: the model's output shape is {outputs}, the data has {what}")
