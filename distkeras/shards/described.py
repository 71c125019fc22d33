"""A rule as JSON, for a process that merges by it. Nothing is pickled: functions go by their names.

A rule's ``merge`` and ``adopt`` must be functions of a module, or partials of such with numbers
by their names, as all in ``distkeras.rules`` are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce
from importlib import import_module
from typing import Any

import numpy as np

from distkeras.errors import ConfigError
from distkeras.rules import Rule
from distkeras.rules.base import send_delta, send_weights

__all__ = ["described", "rebuilt"]

#: The numbers that a function may be given, by the names of their types.
NUMBERS: Mapping[str, Callable[[Any], Any]] = {
    one.__name__: one for one in (bool, int, float, np.float32, np.float64)
}


def described(rule: Rule) -> dict[str, Any]:
    """What another process needs of a rule to merge by it; what a worker sends is not in it.

    Raises:
        ConfigError: names the function that the other process could not find.
    """
    return {
        "name": rule.name,
        "merge": _described(rule, "merge", rule.merge),
        "adopt": _described(rule, "adopt", rule.adopt),
        "sends_weights": rule.sends_weights,
        "synchronous": rule.synchronous,
    }


def rebuilt(told: Mapping[str, Any]) -> Rule:
    """The rule again, of what this machine's driver has described."""
    send = send_weights if told["sends_weights"] else send_delta
    merge, adopt = _rebuilt(told["merge"]), _rebuilt(told["adopt"])
    return Rule(told["name"], send, merge, adopt, told["synchronous"])


def _described(rule: Rule, role: str, function: Any) -> dict[str, Any]:
    numbers, given = {}, function
    if isinstance(given, partial) and not given.args:
        numbers, given = given.keywords, given.func
    place = {"module": getattr(given, "__module__", ""), "name": getattr(given, "__qualname__", "")}
    known = all(type(value).__name__ in NUMBERS for value in numbers.values())
    if not known or place["module"] == "__main__" or not _is_there(place, given):
        raise ConfigError(
            f"num_parameter_servers: the {role} of {rule.name} must be a function of a module, "
            "or a partial of one with numbers by name, so that another process can import it"
        )
    # Every float32 is a double, and JSON has doubles as they are.
    plain = {key: [type(one).__name__, _plain(one)] for key, one in numbers.items()}
    return {**place, "numbers": plain}


def _plain(number: Any) -> Any:
    return number.item() if isinstance(number, np.generic) else number


def _is_there(place: Mapping[str, str], function: Any) -> bool:
    try:
        return _found(place) is function
    except (ImportError, AttributeError, ValueError):
        return False


def _found(place: Mapping[str, str]) -> Any:
    return reduce(getattr, place["name"].split("."), import_module(place["module"]))


def _rebuilt(told: Mapping[str, Any]) -> Any:
    numbers = {key: NUMBERS[kind](one) for key, (kind, one) in told["numbers"].items()}
    function = _found({"module": told["module"], "name": told["name"]})
    return partial(function, **numbers) if numbers else function
