"""What a user reads when a config is wrong: one line with the place, the key and the way out."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterator, Sequence
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

__all__ = ["complaint"]

TYPES = {"bool", "int", "float", "str", "date", "datetime"}


def complaint(
    error: ValidationError, root: type[BaseModel], path: str, overrides: Sequence[str]
) -> str:
    """The first thing wrong, unknown keys before all else (they often cause the others).

    Args:
        error: what pydantic found.
        root: the model that was validated.
        path: the TOML file.
        overrides: what ``--set`` said, ``"a.b=value"`` each.
    """
    found = sorted(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    first, more = found[0], len(found) - 1
    parts = [str(part) for part in first["loc"] if _is_key(part)]
    sentence = _sentence(dict(first), parts, root)
    place = _override(parts, first["type"], sentence, overrides)
    if place is not None:
        sentence = sentence.removeprefix(_assignment(parts, first["input"]) + ": ")
    line = f"{path if place is None else '--set ' + place}: {sentence}"
    return line + (f" (and {more} more)" if more else "")


def _is_key(part: object) -> bool:
    # Where a type is a union, pydantic puts its members' names between the keys.
    return not isinstance(part, str) or ("[" not in part and part not in TYPES)


def _override(
    parts: Sequence[str], kind: str, sentence: str, overrides: Sequence[str]
) -> str | None:
    """The override that is to blame, if it was none of the file's lines."""
    dotted, words = ".".join(parts), re.findall(r"\w+(?:\.\w+)*", sentence)
    for override in reversed(overrides):
        key = override.partition("=")[0].strip()
        inside = key.startswith(dotted + ".")
        if inside and kind == "value_error":
            # A rule over a whole section says by name which key breaks it.
            inside = key.removeprefix(dotted + ".") in words
        if inside or f"{dotted}.".startswith(f"{key}.") or key in words:
            return override
    return None


def _assignment(parts: Sequence[str], value: object) -> str:
    return f"{'.'.join(parts)} = {value!r}"


def _sentence(item: dict[str, Any], parts: Sequence[str], root: type[BaseModel]) -> str:
    dotted = ".".join(parts)
    if item["type"] == "extra_forbidden":
        return f"unknown key {dotted}{_nearest(parts, root)}"
    if item["type"] == "missing":
        return f"{dotted} is missing"
    text = " ".join(item["msg"].removeprefix("Value error, ").split())
    text = text.replace("Input", "input", 1)
    if isinstance(item["input"], dict | BaseModel):
        return f"{dotted}: {text}"
    return f"{_assignment(parts, item['input'])}: {text}"


def _nearest(parts: Sequence[str], root: type[BaseModel]) -> str:
    *parents, wrong = parts
    known = list(_keys(root))
    siblings = [(*parents, key[-1]) for key in known if _covers(key[:-1], parents)]
    for candidates in (siblings, known):
        leaves = {key[-1]: key for key in reversed(candidates)}
        if close := difflib.get_close_matches(wrong, leaves, 1):
            return f"; did you mean {'.'.join(leaves[close[0]])}?"
    return f"; known here: {', '.join(sorted(key[-1] for key in siblings))}" if siblings else ""


def _covers(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    if len(pattern) != len(parts):
        return False
    return all(one in ("*", other) for one, other in zip(pattern, parts, strict=True))


def _keys(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key below a model; "*" stands for the names that the user chooses."""
    for name, field in model.model_fields.items():
        key = (*above, field.alias or name)
        yield key
        for section, chosen in _sections(field.annotation):
            yield from _keys(section, key + chosen)


def _sections(annotation: Any) -> Iterator[tuple[type[BaseModel], tuple[str, ...]]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, ()
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _sections(member)
    elif get_origin(annotation) is dict:
        yield from ((section, ("*",)) for section, _ in _sections(get_args(annotation)[1]))
    elif get_origin(annotation) is tuple:
        yield from ((section, ("*",)) for section, _ in _sections(get_args(annotation)[0]))
