"""The user's model, made ready to train, and checked against the rows that it will see."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from distkeras.engines.summary import Summary
from distkeras.errors import ConfigError, DataError
from distkeras.losses import check_travels, row_loss
from distkeras.models import build, check_single, to_blueprint

__all__ = ["CompileArguments", "check_rows", "compiled_copy", "config_of", "input_shape"]


@dataclass(frozen=True)
class CompileArguments:
    """What ``model.compile`` is told.

    Attributes:
        optimizer: a name, a configuration or an instance; None takes the compiled model's.
        loss: likewise.
        metrics: names or instances; None takes the compiled model's.
        learning_rate: replaces the optimizer's; None leaves it.
        custom_objects: classes and functions that Keras does not know, by name.
    """

    optimizer: Any = None
    loss: Any = None
    metrics: Sequence[Any] | None = None
    learning_rate: float | None = None
    custom_objects: dict[str, Any] = field(default_factory=dict)


def compiled_copy(model: Any, arguments: CompileArguments) -> Any:
    """A copy of the model, compiled; the user's own stays as it is.

    Args:
        model: a built ``keras.Model`` with one input and one output.
        arguments: see there.

    Raises:
        ConfigError: if the model cannot be trained, or an argument names nothing Keras knows.
    """
    check_single(model)
    if not model.trainable_weights:
        raise ConfigError(f"keras_model: {model.name!r} has no weights to train")
    for value, name in ((arguments.optimizer, "worker_optimizer"), (arguments.loss, "loss")):
        if value is None and not model.compiled:
            raise ConfigError(f"{name} is not given, and the model is not compiled")
    try:
        copy = build(to_blueprint(model), arguments.custom_objects)
    except (TypeError, ValueError) as problem:
        raise ConfigError(f"keras_model cannot be copied: {_line(problem)}") from None
    optimizer = model.optimizer if arguments.optimizer is None else arguments.optimizer
    metrics = _compiled_metrics(model) if arguments.metrics is None else arguments.metrics
    _check_metrics(metrics)
    loss = _loss(model.loss if arguments.loss is None else arguments.loss)
    check_travels(loss)
    copy.compile(_optimizer(optimizer, arguments), loss, metrics=list(metrics))
    # Saved unbuilt, it would be loaded with a warning about the variables that it lacks.
    copy.optimizer.build(copy.trainable_variables)
    return copy


def config_of(model: Any) -> str:
    """The compiled model as JSON, without its weights.

    Raises:
        ConfigError: if a part of it cannot be written as JSON.
    """
    try:
        return to_blueprint(model).config
    except (TypeError, ValueError) as problem:
        raise ConfigError(f"keras_model cannot be serialized: {_line(problem)}") from None


def input_shape(model: Any, width: int) -> tuple[int, ...]:
    """The shape in which the model takes a row's features; an open axis takes what is left.

    Args:
        model: with one input.
        width: numbers in a row's features.

    Raises:
        DataError: if they do not fit.
    """
    shape = tuple(model.input_shape[1:])
    known = prod(size for size in shape if size is not None)
    open_axes = shape.count(None)
    if open_axes > 1 or (width % known if open_axes else width != known):
        raise DataError(
            f"the rows have {width} features, but the model's input shape {shape} takes "
            f"{'a multiple of ' if open_axes else ''}{known}"
        )
    return tuple(width // known if size is None else size for size in shape)


def check_rows(model: Any, summary: Summary, names: tuple[str, str]) -> None:
    """Compares model and rows.

    Args:
        model: compiled.
        summary: of the rows.
        names: (features, label), the user's names, for messages.

    Raises:
        DataError: if their shapes, or the labels' values, do not fit.
    """
    features, label = names
    outputs = tuple(model.output_shape[1:])
    try:
        input_shape(model, summary.width)
    except DataError as problem:
        raise DataError(f"column {features!r}: {problem}") from None
    if None in outputs:
        raise DataError(f"the model's output shape {outputs} leaves an axis open")
    width = 1 if summary.label_width is None else summary.label_width
    if summary.label_width is None and len(outputs) == 1:
        _check_scalar_labels(row_loss(model.loss)[1], summary, label, outputs[0])
    elif prod(outputs) != width:
        raise DataError(
            f"column {label!r} has {width} numbers a row, but the model's output shape "
            f"{outputs} gives {prod(outputs)}"
        )


def _check_scalar_labels(loss: str, summary: Summary, label: str, units: int) -> None:
    low, high = summary.label_min, summary.label_max
    assert low is not None
    assert high is not None
    if units > 1 and (low < 0 or high >= units or low != int(low)):
        raise DataError(
            f"column {label!r} has labels from {low:g} to {high:g}, but the model's output of "
            f"{units} units takes class numbers from 0 to {units - 1}"
        )
    if units == 1 and loss.startswith(("sparse", "categorical")):
        raise DataError(f"loss {loss} needs an output unit for each class, but the model has 1")
    if loss == "binary_crossentropy" and (low < 0 or high > 1):
        raise DataError(
            f"column {label!r} has labels from {low:g} to {high:g}, but {loss} takes 0 to 1"
        )


def _optimizer(optimizer: Any, arguments: CompileArguments) -> Any:
    import keras

    try:
        # A copy: an instance that was built for one model cannot serve another.
        given = keras.optimizers.get(optimizer)
        copy = keras.optimizers.deserialize(keras.optimizers.serialize(given))
    except (TypeError, ValueError) as problem:
        raise ConfigError(f"worker_optimizer {optimizer!r}: {_line(problem)}") from None
    if arguments.learning_rate is not None:
        copy.learning_rate = arguments.learning_rate
    return copy


def _loss(loss: Any) -> Any:
    import keras

    try:
        return loss if callable(loss) else keras.losses.get(loss)
    except (TypeError, ValueError) as problem:
        raise ConfigError(f"loss {loss!r}: {_line(problem)}") from None


def _check_metrics(metrics: Sequence[Any]) -> None:
    import keras

    if isinstance(metrics, str):
        raise ConfigError(f"metrics is {metrics!r}, but must be a list: [{metrics!r}]")
    for metric in metrics:
        # Keras makes these three out of the loss and the shapes, so they are no metrics by name.
        if isinstance(metric, str) and metric not in ("accuracy", "acc", "crossentropy", "ce"):
            try:
                keras.metrics.get(metric)
            except (TypeError, ValueError):
                raise ConfigError(f"metrics: Keras knows no metric {metric!r}") from None


def _compiled_metrics(model: Any) -> list[Any]:
    config = model.get_compile_config() or {}
    return list(config.get("metrics") or [])


def _line(problem: Exception) -> str:
    """The first line of what Keras says, which is often a page."""
    return json.dumps(str(problem).strip().splitlines()[0])[1:-1]
