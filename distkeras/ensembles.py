"""Several models as one: by the mean of what they say, or by their votes.

The result is an ordinary Keras model of standard layers and operations, so it is saved as
``.keras``, loaded in safe mode and used by ``ModelPredictor`` like any other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

from distkeras.errors import ConfigError
from distkeras.models import build, check_built, nested, outputs_of, to_blueprint

__all__ = ["average", "vote"]


def average(models: Sequence[Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """One model that gives the mean of the models' outputs.

    y = (y_1 + ... + y_n) / n

    For probabilities the result is probabilities again. The model is not compiled, and its
    weights are copies: training it or the originals leaves the other alone.

    Args:
        models: built ``keras.Model`` instances, of equal shapes of input and output;
            what ``EnsembleTrainer.train`` returns. With several inputs or outputs each goes with
            those at the same place.
        custom_objects: the classes and functions of theirs that Keras does not know, by name.

    Returns:
        A ``keras.Model`` with the models' input and output shape.

    Raises:
        ConfigError: there is no model, one cannot be used, or their shapes differ.

    Example:
        ``ModelPredictor(average(EnsembleTrainer(...).train(frame))).predict(frame)``
    """
    return _combined(models, custom_objects, lambda output: output, "average")


def vote(models: Sequence[Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """One model that gives each class's share of the models' votes.

    A model votes for the class of its largest output, the first one of several. The class of
    the largest share is the majority's; a tie falls to the first of the tied classes. A model
    with one output votes for the second class where the output is 0.5 or more, and the share is
    that class's.

    Args:
        models: built ``keras.Model`` instances, of equal shapes of input and output.
        custom_objects: the classes and functions of theirs that Keras does not know, by name.

    Returns:
        A ``keras.Model`` with the models' input and output shape, its output from 0 to 1 in
        steps of 1 / n. Not compiled; its weights are copies. It has no gradient to train with.

    Raises:
        ConfigError: there is no model, one cannot be used, or their shapes differ.
    """
    return _combined(models, custom_objects, _ballot, "vote")


def _ballot(output: Any) -> Any:
    from keras import ops

    classes = output.shape[-1]
    if classes == 1:
        return ops.cast(ops.greater_equal(output, 0.5), "float32")
    return ops.one_hot(ops.argmax(output, axis=-1), classes, dtype="float32")


def _combined(
    models: Sequence[Any],
    custom_objects: Mapping[str, Any] | None,
    opinion: Callable[[Any], Any],
    name: str,
) -> Any:
    import keras

    members = _checked(models)
    first = members[0]
    shared = [
        keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
        for tensor in first.inputs
    ]
    opinions = []
    for place, model in enumerate(members):
        copy = _copy(model, f"member_{place}", custom_objects)
        outputs = keras.tree.flatten(copy(nested(copy, "input", shared)))
        opinions.append([opinion(output) for output in outputs])
    means = [
        _mean(of_output, port.name, {tensor.name for tensor in shared})
        for port, of_output in zip(outputs_of(first), zip(*opinions, strict=True), strict=True)
    ]
    return keras.Model(nested(first, "input", shared), nested(first, "output", means), name=name)


def _mean(opinions: Sequence[Any], name: str, taken: Container[str]) -> Any:
    import keras

    # A key of a dict of outputs can be what no layer may be called.
    layer_name = None if name in taken or "/" in name else name
    if len(opinions) == 1:  # Average takes two or more
        return keras.layers.Identity(name=layer_name)(opinions[0])
    return keras.layers.Average(name=layer_name)(list(opinions))


def _checked(models: Sequence[Any]) -> list[Any]:
    if not isinstance(models, list | tuple):
        raise ConfigError(f"models: is {type(models).__name__}, not a list of models")
    if not models:
        raise ConfigError("models: there is no model to combine")
    for place, model in enumerate(models):
        check_built(model, f"models[{place}]")
        _check_alike(models[0], model, place)
    return list(models)


def _check_alike(first: Any, model: Any, place: int) -> None:
    for side in ("input", "output"):
        expected, found = _shapes(first, side), _shapes(model, side)
        if found != expected:
            raise ConfigError(
                f"models[{place}]: its {side} has shape {found}, that of models[0] {expected}"
            )


def _shapes(model: Any, side: str) -> str:
    return " and ".join(str(tuple(tensor.shape)) for tensor in getattr(model, f"{side}s"))


def _copy(model: Any, name: str, custom_objects: Mapping[str, Any] | None) -> Any:
    """The model with weights of its own and a name of its own, without loss and optimizer."""
    blueprint = to_blueprint(model)
    config = json.loads(blueprint.config)
    config.pop("compile_config", None)
    config["config"]["name"] = name
    return build(replace(blueprint, config=json.dumps(config)), custom_objects)
