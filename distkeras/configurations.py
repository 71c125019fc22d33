"""What a Keras configuration that came from elsewhere may name: Keras' own parts, and no code.

Keras' safe mode refuses much of that, too, when it loads a model. This refuses it before, without
Keras, and by a list of what is allowed instead of one of what is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from distkeras.errors import ConfigError

__all__ = ["check_configuration"]

#: Where Keras keeps what models, optimizers, losses and metrics are made of.
MODULES = (
    *("keras", "keras.activations", "keras.constraints", "keras.dtype_policies"),
    *("keras.initializers", "keras.layers", "keras.losses", "keras.metrics", "keras.models"),
    *("keras.optimizers", "keras.quantizers", "keras.regularizers"),
    # What is not exported is named by where it is.
    *("keras.src.activations", "keras.src.layers", "keras.src.losses", "keras.src.metrics"),
    *("keras.src.models", "keras.src.ops", "keras.src.optimizers"),
)
#: The last part of the name of such a module that has functions a configuration may name.
FUNCTIONS = (
    *("activations", "constraints", "initializers", "losses", "metrics", "ops", "regularizers"),
)
#: Values, not objects.
VALUES = ("__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__")
#: Layers that bring code, or read it from files.
CODE = ("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper")
#: Arguments by which a layer reads a file of the machine that loads it.
FILES = ("vocabulary", "filepath")


def check_configuration(tree: Any, place: str) -> None:
    """Refuses a configuration that asks for more than Keras' own parts.

    Args:
        tree: as JSON is read.
        place: what it is, for messages.

    Raises:
        ConfigError: names the place and what is asked for.
    """
    for one in _objects(tree):
        if "class_name" in one or "module" in one:
            _check_class(one, place)
        for key in FILES:
            if isinstance(one.get(key), str):
                raise ConfigError(f"{place}: {key} names a file, which no job may read")


def _objects(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Every JSON object; without recursion, so that none is nested too deeply."""
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list | tuple):
            waiting.extend(one)


def _check_class(one: Mapping[str, Any], place: str) -> None:
    name, module = one.get("class_name"), one.get("module")
    registered = one.get("registered_name")
    if not isinstance(name, str):
        raise ConfigError(f"{place}: class_name is {_short(name)}, but must be a name")
    last = name.rpartition(">")[2]
    if last in CODE or last == "__lambda__":
        raise ConfigError(f"{place}: {last} brings code of its own, which is refused")
    if last.startswith("__") and last not in VALUES:
        raise ConfigError(f"{place}: {_short(last)} is refused")
    own = isinstance(registered, str) and ">" in registered
    # A dot would lead from the module on to any other name of Keras'.
    if own or not name.isidentifier() or not _known(module, name, one.get("config")):
        what = registered if own else name if module is None else f"{module}.{name}"
        raise ConfigError(f"{place}: {_short(what)} is no part of Keras, which is refused")


def _known(module: Any, name: str, config: Any) -> bool:
    if module is None:
        return True  # Keras looks it up among its own.
    if name == "function":
        among = [one for one in MODULES if one.rpartition(".")[2] in FUNCTIONS]
        # In builtins it is looked up by its name, among Keras' own.
        named = isinstance(config, str) and config.isidentifier()
        return named and (module == "builtins" or _within(module, among))
    # Keras takes the name of a function for a class, too: load_model, say.
    return (name[0].isupper() or name in VALUES) and _within(module, MODULES)


def _within(module: Any, modules: Sequence[str]) -> bool:
    return isinstance(module, str) and any(
        module == one or (one != "keras" and module.startswith(f"{one}.")) for one in modules
    )


def _short(value: object) -> str:
    return ascii(value)[:100]
