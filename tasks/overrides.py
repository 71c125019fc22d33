"""Overrides of an experiment's keys as ``--set`` has them, from tables of a TOML file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["SECTIONS", "leaves", "short_names", "toml", "tree"]

#: The sections of an experiment whose keys can vary.
SECTIONS = ("preprocess", "train", "evaluate")


def tree(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keys in quotes with dots, as tables: what TOML does with the same keys without quotes.

    Raises:
        ValueError: a key stands for a value and for a table.
    """
    found: dict[str, Any] = {}
    for key, value in given.items():
        *parents, last = key.split(".")
        node = found
        for part in parents:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise ValueError(f"{key}: {part} is a value, not a table of keys")
        old, new = node.get(last), tree(value) if isinstance(value, dict) else value
        node[last] = {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new
    return found


def leaves(
    given: Mapping[str, Any], whole: frozenset[str] = frozenset(), above: str = ""
) -> Iterator[tuple[str, Any]]:
    """The dotted keys of all values.

    Args:
        given: tables within tables.
        whole: a table that has one of these keys is a value.
        above: what stands before each key.
    """
    for key, value in given.items():
        if not isinstance(value, dict) or whole & set(value):
            yield above + key, value
        elif value:
            yield from leaves(value, whole, f"{above}{key}.")
        elif above:
            yield above + key, {}


def short_names(keys: Sequence[str]) -> list[str]:
    """The last parts of dotted keys, where those differ; else the whole keys."""
    short = [key.rpartition(".")[2] for key in keys]
    return short if len(set(short)) == len(short) else list(keys)


def toml(value: Any) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return f"{{{', '.join(f'{toml(str(key))} = {toml(each)}' for key, each in value.items())}}}"
    if isinstance(value, Iterable):
        return f"[{', '.join(toml(each) for each in value)}]"
    return str(value)
