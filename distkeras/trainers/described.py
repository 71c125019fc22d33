"""A trainer as a name and JSON, and back: what a job carries beside its model.

Nothing is pickled, so what cannot be said in JSON (callbacks, classes and functions of the
user's own) is refused, by its name, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

from distkeras.configurations import check_configuration
from distkeras.errors import ConfigError
from distkeras.trainers.alone import EnsembleTrainer
from distkeras.trainers.arguments import parameters
from distkeras.trainers.base import Trainer

__all__ = ["arguments_of", "check_arguments", "rebuilt"]

#: What a job carries in another form, or not at all.
_APART = {"self", "arguments", "keywords", "keras_model", "callbacks", "custom_objects"}
#: What is the driver's business, which is another machine's.
_APART |= {"master_port"}
#: Arguments that may be objects of Keras'.
_OBJECTS = ("loss", "metrics", "learning_rate")


def arguments_of(trainer: Trainer) -> dict[str, Any]:
    """A trainer's arguments, the model left out, as JSON has them.

    Raises:
        ConfigError: names an argument that JSON cannot say.
    """
    for name in ("callbacks", "custom_objects"):
        if getattr(trainer, name):
            raise ConfigError(f"{name}: a job carries no code: leave them out")
    given = {name: _plain(getattr(trainer, name), name) for name in _names(type(trainer))}
    for name, value in given.items():
        check_configuration(value, name)
    return given


def check_arguments(kind: type[Trainer], arguments: Mapping[str, Any]) -> Trainer:
    """A trainer without a model, whose arguments have been checked, without Keras.

    Args:
        kind: of trainer.
        arguments: as ``arguments_of`` gives them, from wherever.

    Raises:
        ConfigError: names an argument that it does not take, or a value that cannot work.
    """
    taken = _names(kind)
    for name, value in arguments.items():
        if name not in taken:
            raise ConfigError(f"{kind.__name__} takes no argument {name[:100]!r}")
        check_configuration(value, name)
    return kind(None, **_restored(arguments, lambda value: None))


def rebuilt(kind: type[Trainer], arguments: Mapping[str, Any], model: Any) -> Trainer:
    """The trainer again.

    Args:
        kind: of trainer.
        arguments: as ``arguments_of`` gives them, from wherever.
        model: a ``keras.Model``.

    Raises:
        ConfigError: names an argument that it does not take, or a value that cannot work.
    """
    check_arguments(kind, arguments)
    return kind(model, **_restored(arguments, _keras_object))


def _names(kind: type[Trainer]) -> list[str]:
    apart = _APART | ({"num_workers"} if issubclass(kind, EnsembleTrainer) else set())
    return sorted(parameters(kind) - apart)


def _plain(value: Any, place: str) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, np.generic):
        return _plain(value.item(), place)
    if isinstance(value, float):
        if not isfinite(value):
            raise ConfigError(f"{place} is {value}, which JSON cannot say")
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(one, place) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, place) for one in value]
    return _plain(_configuration(value, place), place)


def _configuration(value: Any, place: str) -> Any:
    """Of an object of Keras'; of a function, its name."""
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if isinstance(name, str) and isinstance(module, str):
        if module.startswith("keras."):
            return name
    elif hasattr(value, "get_config"):
        import keras

        return keras.saving.serialize_keras_object(value)
    raise ConfigError(
        f"{place} is {name or type(value).__name__}, code that a job cannot carry: give the name "
        "or an instance of one of Keras' own"
    )


def _restored(arguments: Mapping[str, Any], restore: Any) -> dict[str, Any]:
    given = dict(arguments)
    for name in _OBJECTS:
        if name in given:
            given[name] = _replaced(given[name], restore)
    if isinstance(given.get("class_weight"), dict):
        given["class_weight"] = _by_class(given["class_weight"])
    if given.get("learning_rate", 0) is None:
        del given["learning_rate"]
    return given


def _replaced(value: Any, restore: Any) -> Any:
    """The value, with each object of Keras' in it restored from its configuration."""
    if isinstance(value, dict):
        if "class_name" in value:
            return restore(value)
        return {key: _replaced(one, restore) for key, one in value.items()}
    return [_replaced(one, restore) for one in value] if isinstance(value, list) else value


def _keras_object(configuration: Any) -> Any:
    import keras

    try:
        return keras.saving.deserialize_keras_object(configuration, safe_mode=True)
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{configuration['class_name']}: {reason}") from None


def _by_class(weights: Mapping[str, Any]) -> dict[int, Any]:
    # JSON has no other keys than text.
    try:
        return {int(key): weight for key, weight in weights.items()}
    except ValueError:
        raise ConfigError("class_weight: each key must be the index of a class") from None
