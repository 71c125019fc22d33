"""What dist-keras 0.2.1 had under this name. Everything here forwards to where it lives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from distkeras.errors import ConfigError
from distkeras.history_views import of_worker as history_executor
from distkeras.history_views import worker_average as history_executors_average
from distkeras.models import Blueprint, build, to_blueprint
from distkeras.transformers.rows import precache, shuffle

__all__ = [
    "deserialize_keras_model",
    "history_executor",
    "history_executors_average",
    "precache",
    "serialize_keras_model",
    "shuffle",
]


def serialize_keras_model(model: Any) -> dict[str, Any]:
    """A Keras model as a plain dictionary, by ``distkeras.models.to_blueprint``.

    Args:
        model: a built ``keras.Model``, compiled or not.

    Returns:
        ``model``: JSON of the architecture and the compile arguments; ``weights``: arrays in the
        order of ``model.get_weights()``. With ``tolist()`` of each the whole is JSON.
    """
    blueprint = to_blueprint(model)
    return {"model": blueprint.config, "weights": list(blueprint.weights)}


def deserialize_keras_model(
    value: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> Any:
    """The Keras model of such a dictionary, by ``distkeras.models.build``; runs no code of it.

    Args:
        value: from ``serialize_keras_model``; nested lists do in place of arrays.
        custom_objects: the classes and functions that Keras does not know, by name.

    Raises:
        ConfigError: the dictionary lacks one of the two.
        ValueError: from Keras, for a Lambda layer or an unknown object.
    """
    if not isinstance(value, Mapping) or not {"model", "weights"} <= value.keys():
        shown = list(value) if isinstance(value, Mapping) else type(value).__name__
        raise ConfigError(f"value: needs the keys 'model' and 'weights', is {shown}")
    weights = tuple(np.asarray(array) for array in value["weights"])
    return build(Blueprint(value["model"], weights), custom_objects)
