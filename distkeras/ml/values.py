"""What a Spark ML parameter may hold: checked when it is set, and always something JSON can hold.

Each function here makes a type converter, as Spark ML calls it: the value as it is kept.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from distkeras.errors import ConfigError
from distkeras.losses import check_travels
from distkeras.names import names_of
from distkeras.transformers.base import number, whole

__all__ = [
    "above_zero",
    "class_weights",
    "column",
    "columns",
    "count",
    "flag",
    "keras_object",
    "keras_objects",
    "keywords",
    "one_of",
    "optional",
    "registered",
    "restored",
]

Converter = Callable[[Any], Any]


def optional(converter: Converter) -> Converter:
    """None, or what the converter takes."""
    return lambda value: None if value is None else converter(value)


def count(name: str, least: int = 1) -> Converter:
    """A whole number of at least ``least``."""
    return lambda value: whole(value, name, least)


def above_zero(name: str) -> Converter:
    """A finite number above 0."""

    def convert(value: Any) -> float:
        found = number(value, name)
        if found <= 0:
            raise ConfigError(f"{name} must be above 0, not {value!r}")
        return found

    return convert


def flag(name: str) -> Converter:
    """True or False."""
    return lambda value: one_of(name, (True, False))(value)


def one_of(name: str, values: Iterable[Any]) -> Converter:
    """One of the values; the error names the nearest one."""

    def convert(value: Any) -> Any:
        known = list(values)
        if isinstance(value, type(known[0])) and value in known:
            return value
        near = difflib.get_close_matches(str(value), map(str, known), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(str, known))}"
        raise ConfigError(f"{name} is {value!r}; {hint}")

    return convert


def column(name: str) -> Converter:
    """The name of a column; an empty one asks for none."""

    def convert(value: Any) -> str:
        if not isinstance(value, str):
            raise ConfigError(f"{name} is {value!r}, but must be a name")
        return value

    return convert


def columns(name: str) -> Converter:
    """The name of a column, or a list of names."""

    def convert(value: Any) -> str | list[str]:
        names = names_of(value, name)
        return value if isinstance(value, str) else list(names)

    return convert


def class_weights(name: str) -> Converter:
    """Class number -> weight; JSON turns the numbers into text, and here they come back."""

    def convert(value: Any) -> dict[int, float]:
        try:
            return {int(key): number(weight, name) for key, weight in dict(value).items()}
        except (TypeError, ValueError):
            raise ConfigError(
                f"{name} is {value!r}, but must be {{class number: weight}}"
            ) from None

    return convert


def keywords(name: str, taken: Mapping[str, str]) -> Converter:
    """A dict that JSON can hold.

    Args:
        name: of the parameter.
        taken: keywords that a parameter of their own sets -> the parameter's name.
    """

    def convert(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise ConfigError(f"{name} is {value!r}, but must be a dict of a trainer's keywords")
        for key in value:
            if key in taken:
                raise ConfigError(f"{name}: {key!r} is set by the parameter {taken[key]}")
        _check_json(name, dict(value))
        return dict(value)

    return convert


def keras_object(name: str) -> Converter:
    """A name that Keras knows, its configuration, or an instance: kept as its configuration."""

    def convert(value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        config = dict(value) if isinstance(value, Mapping) else _serialized(name, value)
        _check_json(name, config)
        restored(config, name)  # An error here is better than one in a saved pipeline.
        return config

    return convert


def keras_objects(name: str) -> Converter:
    """A list of what ``keras_object`` takes."""

    def convert(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{name} is {value!r}, but must be a list: [{value!r}]")
        return [keras_object(name)(entry) for entry in value]

    return convert


def restored(config: Any, name: str) -> Any:
    """What ``keras_object`` has kept, as Keras takes it: a new instance of a configuration.

    Raises:
        ConfigError: Keras does not know it.
    """
    import keras

    if not isinstance(config, Mapping):
        return config
    try:
        return keras.saving.deserialize_keras_object(dict(config), safe_mode=True)
    except (TypeError, ValueError, KeyError, AttributeError) as problem:
        raise ConfigError(f"{name}: Keras cannot restore {config!r}: {_line(problem)}") from None


def _serialized(name: str, value: Any) -> dict[str, Any]:
    import keras

    check_travels(value)
    if getattr(value, "__name__", "") == "<lambda>":
        raise ConfigError(f"{name}: Keras cannot save a lambda; register a named function")
    try:
        config = keras.saving.serialize_keras_object(value)
    except (TypeError, ValueError, NotImplementedError) as problem:
        raise ConfigError(f"{name}: Keras cannot save {value!r}: {_line(problem)}") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{name} is {value!r}, which is nothing of Keras")
    return config


def registered(model: Any, arguments: Any = None) -> dict[str, Any]:
    """What a model and its arguments use of the objects that the user registered with Keras.

    A worker is another process, where nobody has registered them.

    Args:
        model: a built ``keras.Model``.
        arguments: configurations of more Keras objects.
    """
    import keras

    known = keras.saving.get_custom_objects()
    if not known:
        return {}
    used = json.dumps([keras.saving.serialize_keras_object(model), arguments], default=str)
    return {name: value for name, value in known.items() if json.dumps(name) in used}


def _check_json(name: str, value: Any) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as problem:
        raise ConfigError(f"{name}: JSON cannot hold {value!r}: {_line(problem)}") from None


def _line(problem: Exception) -> str:
    return " ".join(str(problem).split())
