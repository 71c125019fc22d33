"""Keras models as plain values that can travel: a JSON architecture and a list of arrays.

Nothing is pickled and nothing is executed on arrival: a Lambda layer is refused by Keras'
safe mode when a blueprint is built.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from distkeras.errors import ConfigError

__all__ = ["Blueprint", "build", "check_single", "to_blueprint", "use_cores"]


@dataclass(frozen=True)
class Blueprint:
    """A Keras model as a value.

    Attributes:
        config: JSON of the model's Keras configuration, its compile arguments included.
        weights: every variable of the model in the order of ``model.get_weights()``.
    """

    config: str
    weights: tuple[np.ndarray, ...]


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


def check_single(model: Any, name: str = "keras_model") -> None:
    """Refuses what is no built model of one input and one output.

    Args:
        model: anything.
        name: of the argument or config key that gave it, for messages.

    Raises:
        ConfigError: says what it is instead.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise ConfigError(f"{name}: is {type(model).__name__}, not a keras.Model")
    if not model.built or not model.inputs:
        raise ConfigError(f"{name}: {model.name!r} has no input shape yet; begin with keras.Input")
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
