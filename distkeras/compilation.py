"""The user's model, compiled to train; the user's own objects stay as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from distkeras.errors import ConfigError
from distkeras.losses import check_travels
from distkeras.metrics import copied_metrics
from distkeras.models import (
    Port,
    build,
    check_built,
    custom,
    nested,
    outputs_of,
    per_output,
    to_blueprint,
)

__all__ = ["CompileArguments", "compiled_copy", "config_of"]


@dataclass(frozen=True)
class CompileArguments:
    """What ``model.compile`` is told.

    Attributes:
        optimizer: a name, a configuration or an instance; None takes the compiled model's.
        loss: likewise; for several outputs also a list in their order, or a dict by their names.
        metrics: names or instances; None takes the compiled model's. For several outputs a list
            with an entry (or a list of entries) for each, or a dict by their names; a list of one
            entry is for every output.
        learning_rate: a number or a Keras schedule, replaces the optimizer's; None leaves it.
        loss_weights: how much each output's loss counts, as a list in their order or a dict by
            their names; None: 1 each.
        custom_objects: classes and functions that Keras does not know, by name.
        nesterov: momentum that the optimizer, which must be SGD, is given; None leaves it.
    """

    optimizer: Any = None
    loss: Any = None
    metrics: Any = None
    learning_rate: Any = None
    loss_weights: Any = None
    custom_objects: Mapping[str, Any] = field(default_factory=dict)
    nesterov: float | None = None


def compiled_copy(model: Any, arguments: CompileArguments) -> Any:
    """A copy of the model, compiled; the user's own stays as it is.

    Args:
        model: a built ``keras.Model``.
        arguments: see there.

    Raises:
        ConfigError: if the model cannot be trained, or an argument names nothing Keras knows.
    """
    check_built(model)
    if not model.trainable_weights:
        raise ConfigError(f"keras_model: {model.name!r} has no weights to train")
    for value, name in ((arguments.optimizer, "worker_optimizer"), (arguments.loss, "loss")):
        if value is None and not model.compiled:
            raise ConfigError(f"{name} is not given, and the model is not compiled")
    try:
        copy = build(to_blueprint(model), arguments.custom_objects)
    except (TypeError, ValueError) as problem:
        raise ConfigError(f"keras_model cannot be copied: {_line(problem)}") from None
    outputs = outputs_of(copy)
    loss = model.loss if arguments.loss is None else arguments.loss
    losses = _losses(loss, outputs, arguments.custom_objects)
    copy.compile(
        _optimizer(model, arguments),
        nested(copy, "output", losses),
        loss_weights=_loss_weights(copy, model, arguments),
        **_metrics(model, arguments, outputs),
    )
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


def _optimizer(model: Any, arguments: CompileArguments) -> Any:
    import keras

    known = dict(arguments.custom_objects)
    optimizer = model.optimizer if arguments.optimizer is None else arguments.optimizer
    optimizer = custom(optimizer, known)
    try:
        # A copy: an instance that was built for one model cannot serve another.
        given = keras.optimizers.get(optimizer)
        config = keras.optimizers.serialize(given)
        if arguments.learning_rate is not None:
            _replace_rate(config["config"], arguments.learning_rate)
        if arguments.nesterov is not None:
            _check_sgd(given)
            config["config"] |= {"momentum": arguments.nesterov, "nesterov": True}
        return keras.optimizers.deserialize(config, known)
    except ConfigError:
        raise
    except (TypeError, ValueError, NotImplementedError) as problem:
        name = repr(optimizer) if isinstance(optimizer, str | dict) else type(optimizer).__name__
        raise ConfigError(f"worker_optimizer {name}: {_line(problem)}") from None


def _check_sgd(optimizer: Any) -> None:
    import keras

    if type(optimizer) is not keras.optimizers.SGD:
        raise ConfigError(
            f"worker_optimizer is {type(optimizer).__name__}, but EAMSGD makes its local steps by "
            "SGD with Nesterov momentum: give 'sgd', or take AEASGD"
        )


def _replace_rate(config: dict[str, Any], rate: Any) -> None:
    """In a configuration: an optimizer that has a schedule takes no other rate later on."""
    import keras

    if "inner_optimizer" in config:
        _replace_rate(config["inner_optimizer"]["config"], rate)
    elif isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        config["learning_rate"] = keras.optimizers.schedules.serialize(rate)
    else:
        config["learning_rate"] = rate


def _losses(given: Any, outputs: Sequence[Port], custom_objects: Mapping[str, Any]) -> list[Any]:
    losses = [_loss(custom(loss, custom_objects)) for loss in per_output(given, outputs, "loss")]
    if all(loss is None for loss in losses):
        raise ConfigError("loss: no output of the model has one")
    for loss in losses:
        check_travels(loss)
    return losses


def _loss(loss: Any) -> Any:
    import keras

    try:
        return loss if loss is None or callable(loss) else keras.losses.get(loss)
    except (TypeError, ValueError) as problem:
        raise ConfigError(f"loss {loss!r}: {_line(problem)}") from None


def _loss_weights(copy: Any, model: Any, arguments: CompileArguments) -> Any:
    """In the structure of the outputs, as the losses are."""
    given = arguments.loss_weights
    if given is None and arguments.loss is None:
        given = (model.get_compile_config() or {}).get("loss_weights")
    if given is None:
        return None
    weights = per_output(given, outputs_of(copy), "loss_weights")
    for weight in weights:
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not isfinite(weight):
            raise ConfigError(f"loss_weights is {given!r}, but {weight!r} is no finite number")
    return nested(copy, "output", [float(weight) for weight in weights])


def _metrics(
    model: Any, arguments: CompileArguments, outputs: Sequence[Port]
) -> dict[str, list[Any] | None]:
    """Both kinds; a metric is state, so each is a copy."""
    import keras

    known = dict(arguments.custom_objects)
    if arguments.metrics is not None:
        return {"metrics": copied_metrics(arguments.metrics, outputs, known)}
    config = model.get_compile_config() or {}
    with keras.saving.custom_object_scope(known):
        given = {
            kind: keras.saving.deserialize_keras_object(config.get(kind))
            for kind in ("metrics", "weighted_metrics")
        }
    return {kind: copied_metrics(metrics, outputs, known) for kind, metrics in given.items()}


def _line(problem: Exception) -> str:
    """The first line of what Keras says, which is often a page."""
    return json.dumps(str(problem).strip().splitlines()[0])[1:-1]
