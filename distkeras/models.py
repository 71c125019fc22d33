"""Keras models as plain values that can travel: a JSON architecture and a list of arrays.

Nothing is pickled and nothing is executed on arrival: a Lambda layer is refused by Keras'
safe mode when a blueprint is built.
"""

from __future__ import annotations

import difflib
import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from distkeras.errors import ConfigError

__all__ = [
    "Blueprint",
    "Port",
    "build",
    "check_built",
    "check_single",
    "custom",
    "import_keras",
    "inputs_of",
    "nested",
    "outputs_of",
    "per_output",
    "to_blueprint",
    "use_cores",
]


@dataclass(frozen=True)
class Blueprint:
    """A Keras model as a value.

    Attributes:
        config: JSON of the model's Keras configuration, its compile arguments included.
        weights: every variable of the model in the order of ``model.get_weights()``.
    """

    config: str
    weights: tuple[np.ndarray, ...]


def import_keras() -> None:
    """Imports Keras without a word on the console; what fails still raises.

    On a machine without a GPU, TensorFlow's CUDA stub writes to file descriptor 2 that it found
    none, whatever the log level.
    """
    sys.stderr.flush()
    console, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        importlib.import_module("keras")
    finally:
        os.dup2(console, 2)
        os.close(console)
        os.close(nowhere)


def to_blueprint(model: Any) -> Blueprint:
    """Takes a Keras model apart.

    Args:
        model: a built ``keras.Model``, compiled or not.
    """
    import keras

    config = json.dumps(keras.saving.serialize_keras_object(model))
    return Blueprint(config, tuple(model.get_weights()))


def build(blueprint: Blueprint, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Puts a Keras model together again, compiled if it was.

    Args:
        blueprint: from ``to_blueprint``.
        custom_objects: the classes and functions that Keras does not know, by name.

    Raises:
        ValueError: from Keras, for a Lambda layer or an unknown object.
    """
    import keras

    model = keras.saving.deserialize_keras_object(
        json.loads(blueprint.config), custom_objects=dict(custom_objects or {}), safe_mode=True
    )
    model.set_weights(list(blueprint.weights))
    return model


def custom(value: Any, custom_objects: Mapping[str, Any]) -> Any:
    """What a name of the user's own stands for, an instance where that is a class.

    Args:
        value: what the user gave for an optimizer, a loss or a metric.
        custom_objects: classes and functions that Keras does not know, by name.

    Returns:
        The object; the value as it is where it is no such name.
    """
    if not isinstance(value, str) or value not in custom_objects:
        return value
    found = custom_objects[value]
    return found() if isinstance(found, type) else found


class Port(NamedTuple):
    """An input or an output of a model.

    Attributes:
        name: as Keras has it.
        shape: of one row; None for an axis that is left open.
        dtype: as Keras has it, e.g. "float32".
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"

    @property
    def rows(self) -> np.dtype[Any]:
        """The type in which rows for an input are kept: integers are not rounded on the way.

        Half precision and booleans are made by the model itself, out of float32.
        """
        exact = self.dtype.lstrip("u").startswith("int") or self.dtype == "float64"
        return np.dtype(self.dtype if exact else "float32")


def inputs_of(model: Any) -> tuple[Port, ...]:
    """The model's inputs, in the order of ``model.inputs``."""
    return tuple(
        Port(tensor.name, tuple(tensor.shape[1:]), str(tensor.dtype)) for tensor in model.inputs
    )


def outputs_of(model: Any) -> tuple[Port, ...]:
    """The model's outputs, in the order of ``model.outputs``.

    Keras names an output by its key where the model gives a dict, else by its layer.
    """
    names = list(getattr(model, "output_names", None) or [tensor.name for tensor in model.outputs])
    if len(names) > 1 and isinstance(model.output, dict) and len(model.output) == len(names):
        names = sorted(model.output)
    return tuple(
        Port(name, tuple(tensor.shape[1:]), str(tensor.dtype))
        for name, tensor in zip(names, model.outputs, strict=True)
    )


def nested(model: Any, side: str, flat: Sequence[Any]) -> Any:
    """Values for all inputs or outputs in the structure in which the model has them.

    Args:
        model: built.
        side: "input" or "output".
        flat: one value each, in the order of ``model.inputs`` or ``model.outputs``.

    Returns:
        The value itself where there is one; else a list, tuple or dict.
    """
    import keras

    if len(flat) == 1:
        return flat[0]
    return keras.tree.pack_sequence_as(getattr(model, side), list(flat))


def per_output(value: Any, outputs: Sequence[Port], argument: str) -> list[Any]:
    """What the user gave for the outputs, one for each in their order.

    Args:
        value: a list in the order of the outputs, a dict by their names, or one value for all.
        outputs: of the model.
        argument: that has the value, for messages.

    Raises:
        ConfigError: a list of another length, or a dict with a name too few or too many.
    """
    names = [port.name for port in outputs]
    if isinstance(value, dict):
        _check_keys(value, names, argument)
        return [value[name] for name in names]
    if not isinstance(value, list | tuple):
        return [value] * len(names)
    if len(value) != len(names):
        raise ConfigError(
            f"{argument} has {len(value)} entries, but the model has {len(names)} outputs: "
            f"{', '.join(names)}"
        )
    return list(value)


def _check_keys(value: Mapping[Any, Any], names: Sequence[str], argument: str) -> None:
    for key in value:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
            raise ConfigError(f"{argument}: the model has no output {key!r}; {hint}")
    for name in names:
        if name not in value:
            raise ConfigError(f"{argument} has nothing for the model's output {name!r}")


def check_built(model: Any, name: str = "keras_model") -> None:
    """Refuses what is no built model.

    Args:
        model: anything.
        name: of the argument or config key that gave it, for messages.

    Raises:
        ConfigError: says what it is instead.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise ConfigError(f"{name}: is {type(model).__name__}, not a keras.Model")
    if not model.built or not getattr(model, "inputs", None):
        raise ConfigError(f"{name}: {model.name!r} has no input shape yet; begin with keras.Input")


def check_single(model: Any, name: str = "keras_model") -> None:
    """Refuses what is no built model of one input and one output.

    Args:
        model: anything.
        name: of the argument or config key that gave it, for messages.

    Raises:
        ConfigError: says what it is instead.
    """
    check_built(model, name)
    for side, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
        if len(tensors) != 1:
            raise ConfigError(f"{name}: {model.name!r} has {len(tensors)} {side}, 1 can be used")


def use_cores(cores: int) -> None:
    """Keeps TensorFlow in this process to so many threads, of which each task has its share.

    TensorFlow fixes its threads when it first computes: a Python worker that Spark uses again
    keeps what its first task said.

    Args:
        cores: of the Spark task.
    """
    import tensorflow as tf

    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(cores)
        tf.config.threading.set_inter_op_parallelism_threads(1)
