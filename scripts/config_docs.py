"""Writes docs/configuration.md: every key of an experiment, from the models that check them.

``python -m scripts.config_docs`` after a change of a key, its default or its description.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from distkeras.trainers import TRAINERS
from distkeras.trainers.arguments import parameters
from tasks.config import Experiment, TrainSpec

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"

INTRODUCTION = """# Every key of an experiment

An experiment is a TOML file: [configs/magic.toml](../configs/magic.toml) is a whole one. A key that
is not here is an error that names the nearest one. Every key can be given on the command line, too:
`--set train.num_workers=4`.

Where no default stands, the key must be given. This page is written by `python -m
scripts.config_docs` from the models that check the keys; do not edit it.
"""

TRAINERS_TEXT = """## Trainers

Keys of `[train]` whose default is the trainer's own. Where nothing stands, the trainer takes no
such key, and giving it is an error. A window of "none" is an epoch; a learning rate of "none" is
the worker optimizer's.
"""

NAMES = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    "date": "date",
    "datetime": "date with time",
    Any: "any value",
}
BOUNDS = {
    "ge": "at least {}",
    "gt": "above {}",
    "le": "at most {}",
    "lt": "below {}",
    "min_length": "not empty",
}


class Section(NamedTuple):
    """A table of the TOML file, or each of a list of them, and the model that checks it."""

    name: str
    model: type[BaseModel]
    listed: bool = False

    @property
    def heading(self) -> str:
        """As the file has it."""
        return f"`[[{self.name}]]`" if self.listed else f"`[{self.name}]`"


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)


def page() -> str:
    """The whole page, Markdown."""
    parts = [INTRODUCTION, *map(_section, sections("", Experiment)), TRAINERS_TEXT + _trainers()]
    return "\n".join(parts)


def sections(name: str, model: type[BaseModel], listed: bool = False) -> Iterator[Section]:
    """A model and those of the tables below it, in the order of their keys."""
    yield Section(name, model, listed)
    for key, field in model.model_fields.items():
        for below in _below(f"{name}.{key}".lstrip("."), field):
            yield from sections(*below)


def missing_descriptions() -> list[str]:
    """The keys of which nobody says what they mean."""
    return [
        f"{section.name}.{key}".lstrip(".")
        for section in sections("", Experiment)
        for key, field in section.model.model_fields.items()
        if not field.description and not _models(field.annotation)
    ]


def _below(name: str, field: FieldInfo) -> Iterator[Section]:
    """The tables that the key of this name holds."""
    listed = get_origin(field.annotation) is tuple
    for below, model in _models(field.annotation):
        yield Section(f"{name}{below}", model, listed)


def _models(annotation: Any) -> list[tuple[str, type[BaseModel]]]:
    """The models in a type, each with what stands between the key and its own keys."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [("", annotation)]
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return [(".<name>", model) for _, model in _models(arguments[1])]
    if get_origin(annotation) in (Union, types.UnionType, tuple):
        return [found for one in arguments for found in _models(one)]
    return []


def _section(section: Section) -> str:
    title = section.heading if section.name else "At the top"
    lines = [f"## {title}", "", _sentence(section.model), ""]
    lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, field in section.model.model_fields.items():
        cells = (
            f"`{key}`",
            _value(field),
            _default(section, key),
            _meaning(section, key),
        )
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    if section.model.model_config.get("extra") == "allow":
        lines.append("| any other | any value | | Passed on as it is. |")
    return "\n".join(lines) + "\n"


def _sentence(model: type[BaseModel]) -> str:
    text = inspect.cleandoc(model.__doc__ or "").replace("``", "`").replace("\n", " ")
    text = re.sub(r"^`\[+[\w.]+\]+`: ", "", text)
    return text[:1].upper() + text[1:]


def _meaning(section: Section, key: str) -> str:
    field = section.model.model_fields[key]
    text = re.sub(r"<(?=\w)", "&lt;", " ".join((field.description or "").split()))
    for below in _below(f"{section.name}.{key}".lstrip("."), field):
        text = f"{text or _sentence(below.model)} See [{below.heading}](#{_anchor(below.name)})."
    return text


def _anchor(name: str) -> str:
    """As the usual renderers of Markdown make it of a heading."""
    return re.sub(r"[^\w-]", "", name.lower())


def _value(field: FieldInfo) -> str:
    bounds = [BOUNDS[name].format(_short(limit)) for name, limit in _limits(field)]
    return ", ".join([_type(field.annotation), *bounds])


def _limits(field: FieldInfo) -> Iterator[tuple[str, Any]]:
    for constraint in field.metadata:
        for name in BOUNDS:
            if (limit := getattr(constraint, name, None)) is not None:
                yield name, limit


def _short(limit: Any) -> str:
    """2^63 for what nobody reads as digits."""
    power = math.log2(abs(limit)) if limit else 0.0
    if power >= 31 and power == int(power):
        return f"{'-' if limit < 0 else ''}2^{int(power)}"
    return str(limit)


def _type(annotation: Any) -> str:
    if _models(annotation):
        return {dict: "tables", tuple: "list of tables"}.get(get_origin(annotation), "table")
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{json.dumps(value)}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(one) for one in arguments if one is not type(None))
    if origin is tuple:
        return f"list: {_type(arguments[0])}"
    if origin is dict:
        return "table"
    if origin is not None:  # Annotated
        return _type(arguments[0])
    return NAMES.get(annotation) or NAMES[annotation.__name__]


def _default(section: Section, key: str) -> str:
    field = section.model.model_fields[key]
    if field.is_required():
        return ""
    if field.default_factory is not None:
        return _told(field.default_factory())  # type: ignore[call-arg]
    if section.model is TrainSpec and field.default is None and key in _optional():
        return _told(_shared()[key]) if key in _shared() else "[the trainer's](#trainers)"
    return _told(field.default)


def _told(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        given = {key: getattr(value, key) for key in value.model_fields_set}
        return f"`{_toml(given)}`" if given else "its keys' defaults"
    return f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{key} = {_toml(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)


def _trainers() -> str:
    keys = [key for key in _optional() if key not in _shared()]
    lines = ["", f"| trainer | {' | '.join(f'`{key}`' for key in keys)} |"]
    lines.append("|---" * (len(keys) + 1) + "|")
    for name in sorted(TRAINERS):
        own = _own_defaults()[name]
        cells = [_told(own[key]) if key in own else "" for key in keys]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _optional() -> list[str]:
    """The keys that a trainer takes, and has a default for where the file has none."""
    taken = {key for own in _own_defaults().values() for key in own}
    return [key for key, f in TrainSpec.model_fields.items() if f.default is None and key in taken]


@cache
def _own_defaults() -> dict[str, dict[str, Any]]:
    """What each trainer is without arguments, as far as the file can say otherwise."""
    made = {name: trainer(None) for name, trainer in TRAINERS.items()}
    known = set(TrainSpec.model_fields) - {"metrics", "loss", "worker_optimizer"}
    return {
        name: {key: getattr(one, key) for key in known & parameters(type(one))}
        for name, one in made.items()
    }


@cache
def _shared() -> dict[str, Any]:
    """The defaults that all trainers have in common."""
    one, *others = _own_defaults().values()
    return {
        key: value
        for key, value in one.items()
        if all(key in other and other[key] == value for other in others)
    }


if __name__ == "__main__":
    main()
