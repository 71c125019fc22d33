"""Pieces of Spark SQL text.

The expressions of this room are text and not ``Column`` objects: a column of Python objects costs
about fifteen round trips to the JVM for each operation, and a table of 200 columns has thousands
of operations. As text it costs one round trip for each column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

__all__ = ["SQL_TYPE", "WHITE_SPACE", "Kind", "array_of", "literal", "name_in_sql", "trimmed"]

Kind = Literal["boolean", "float", "integer", "string"]
"""The types in which categories and classes are compared."""

SQL_TYPE: dict[Kind, str] = {
    "boolean": "boolean",
    "float": "double",
    "integer": "bigint",
    "string": "string",
}
WHITE_SPACE = "".join(map(chr, range(33)))
"""What does not count at either end of a text: the characters that Spark's CSV reader trims."""

_HARMLESS = re.compile(r"[\w .,:;/+()=#@%&|\[\]-]*", re.ASCII)


def name_in_sql(name: str) -> str:
    """The column of exactly this name, whatever characters it has."""
    return "`" + name.replace("`", "``") + "`"


def trimmed(text: str) -> str:
    """The text without white space at its ends."""
    return f"btrim({text}, {literal(WHITE_SPACE)})"


def literal(value: bool | int | float | str) -> str:
    """A constant of the same type as the Python value: boolean, bigint, double or string."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        # The smallest number of 64 bits has no literal: its absolute value is one too large.
        return f"{value}L" if value > -(2**63) else f"(-{2**63 - 1}L - 1L)"
    if isinstance(value, float):
        return f"{value!r}D"
    if _HARMLESS.fullmatch(value):
        return f"'{value}'"
    # How quotes and backslashes are read depends on the session's settings; hexadecimal does not.
    return f"CAST(X'{value.encode().hex()}' AS STRING)"


def array_of(values: Iterable[bool | int | float | str], kind: Kind) -> str:
    """An array of constants."""
    return f"CAST(array({', '.join(map(literal, values))}) AS array<{SQL_TYPE[kind]}>)"
