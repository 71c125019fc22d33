"""The variants of one experiment: ``[compare]`` in its TOML file, or ``--set-list``.

A variant is a name and overrides as ``--set`` has them, so that its tasks are ordinary ones.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pydantic import Field, field_validator, model_validator

from distkeras.errors import ConfigError
from tasks.overrides import SECTIONS, leaves, short_names, toml, tree
from tasks.tables import Section

__all__ = ["CompareSpec", "Variant", "VariantSpec", "listed_variants", "table_variants"]

_OPENING, _CLOSING, _QUOTES = "[{(", "]})", "\"'"


class Variant(NamedTuple):
    """One of the things to compare.

    Attributes:
        name: how the report calls it.
        overrides: ``"a.b=value"`` each; none for the experiment as the file has it.
    """

    name: str
    overrides: tuple[str, ...]


class VariantSpec(Section):
    """``[[compare.variants]]``: a name, and other values for keys of the file."""

    name: str = Field(min_length=1, max_length=80, description="How the report calls it.")
    preprocess: dict[str, Any] = Field(default_factory=dict, description="Keys of [preprocess].")
    train: dict[str, Any] = Field(default_factory=dict, description="Keys of [train].")
    evaluate: dict[str, Any] = Field(default_factory=dict, description="Keys of [evaluate].")
    set: tuple[str, ...] = Field(
        default=(), strict=False, description='As on the command line: ["train.num_workers=4"].'
    )

    @model_validator(mode="before")
    @classmethod
    def _dotted(cls, given: Any) -> Any:
        return tree(given) if isinstance(given, dict) else given

    @field_validator("name")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable() or value != value.strip():
            raise ValueError("write a name of one line, without spaces around it")
        return value

    def variant(self) -> Variant:
        """The same as overrides; those of ``set`` come last, and win."""
        sections = {name: getattr(self, name) for name in SECTIONS}
        written = (f"{key}={toml(value)}" for key, value in leaves(sections))
        return Variant(self.name, (*written, *self.set))


class CompareSpec(Section):
    """``[compare]``: what the task Compare trains and sets side by side."""

    variants: tuple[VariantSpec, ...] = Field(
        default=(), strict=False, description="A name and overrides each."
    )
    grid: dict[str, Any] = Field(
        default_factory=dict,
        description="Keys with a list of values each: a variant for every combination.",
    )
    target: dict[str, float] = Field(
        default_factory=dict,
        strict=False,
        max_length=1,
        description="{accuracy = 0.86}: the report says after how many seconds the training "
        "reached it; loss, or one of the metrics.",
    )

    @field_validator("grid")
    @classmethod
    def _lists(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key, values in leaves(tree(value)):
            if not isinstance(values, list) or not values:
                raise ValueError(f"{key} = {values!r}: must be a list of values")
            if key.split(".")[0] not in SECTIONS:
                raise ValueError(f"{key}: only keys of {', '.join(SECTIONS)} can vary")
        return value


def table_variants(spec: CompareSpec) -> list[Variant]:
    """The variants of a ``[compare]`` table: the list, then the grid."""
    axes = [(key, [toml(value) for value in values]) for key, values in leaves(tree(spec.grid))]
    return [*(variant.variant() for variant in spec.variants), *_grid(axes)]


def listed_variants(texts: Sequence[str]) -> list[Variant]:
    """The variants of ``--set-list``.

    Args:
        texts: ``"name: a.b=value; c.d=value"`` for one variant, ``"a.b=value,value"`` for an axis
            of a grid.

    Raises:
        ConfigError: one of them is neither.
    """
    named, axes = [], []
    for text in texts:
        name, colon, rest = text.partition(":")
        if colon and "=" not in name:
            named.append(Variant(name.strip(), tuple(_split(rest, ";"))))
            continue
        key, equals, values = text.partition("=")
        found = _values(values)
        if not equals or not key.strip() or not found:
            raise ConfigError(
                f"--set-list {text}: write it as name: key=value; key=value, or as key=value,value"
            )
        axes.append((key.strip(), found))
    return [*named, *_grid(axes)]


def _grid(axes: Sequence[tuple[str, Sequence[str]]]) -> Iterator[Variant]:
    """Every combination; named by the last parts of the keys, where those differ."""
    if not axes:
        return
    keys = [key for key, _ in axes]
    names = short_names(keys)
    for values in itertools.product(*(values for _, values in axes)):
        pairs = list(zip(names, values, strict=True))
        name = ", ".join(f"{name}={_bare(value)}" for name, value in pairs)
        yield Variant(name, tuple(f"{k}={v}" for k, v in zip(keys, values, strict=True)))


def _bare(value: str) -> str:
    quoted = re.fullmatch(r'"([^"\\]*)"', value)
    return quoted[1] if quoted else value


def _values(text: str) -> list[str]:
    found = list(_split(text, ","))
    # A list in brackets, whose words need no quotes; two lists are two values.
    if len(found) == 1 and found[0].startswith("[") and found[0].endswith("]"):
        return list(_split(found[0][1:-1], ","))
    return found


def _split(text: str, separator: str) -> Iterator[str]:
    """The parts between separators that stand in no quotes and no brackets, but empty ones."""
    part, depth, quote = "", 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in _QUOTES:
            quote = letter
        else:
            depth += (letter in _OPENING) - (letter in _CLOSING)
        if letter == separator and not depth and not quote:
            yield from filter(None, [part.strip()])
            part = ""
        else:
            part += letter
    yield from filter(None, [part.strip()])
