"""The types of a CSV file's columns, without a pass over the file.

Spark's ``inferSchema`` reads the whole input once more before the work begins. Here the types
come from the first rows, and Spark's CSV reader parses them: measured on 300,000 x 30 numbers,
three passes, 33 s of CPU time where reading text and casting it took 57. A later value that does
not fit fails with ``Retype``, and only then is the whole input looked at, as text. So the usual
input is not read twice, and an unusual one still gets the types of all its rows.

One thing is lost: what Java takes for a number ('12d', '007') passes as one if it first turns up
in a column of numbers after the first rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from distkeras.preprocessing.cells import no_number, text_as_number
from distkeras.preprocessing.failures import complaint
from distkeras.preprocessing.rows import Missing
from distkeras.preprocessing.sql import name_in_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["find_types", "guess_types", "with_types"]

_SAMPLE_ROWS = 1000
# The narrowest first. A column without any value gets the first one.
_TYPES = ("int", "bigint", "double", "boolean", "date", "timestamp")


def guess_types(texts: DataFrame, missing: Missing) -> dict[str, str] | None:
    """The types that the first rows suggest, found on the driver: Spark needs seconds for it.

    Returns:
        None if Spark's CSV reader cannot be told what is missing: it knows empty and NaN only.
    """
    cells = _first_cells(texts)
    odd = any(text != "NaN" and missing.no_number(text) for each in cells.values() for text in each)
    if missing.texts or odd:
        return None
    return {name: kinds[0] for name, kinds in _possible(cells, missing).items()}


def _first_cells(texts: DataFrame) -> dict[str, list[str]]:
    """What the first rows have, by column."""
    rows = texts.take(_SAMPLE_ROWS)
    return {name: [row[i] for row in rows if row[i]] for i, name in enumerate(texts.columns)}


def _possible(cells: Mapping[str, Iterable[str]], missing: Missing) -> dict[str, Sequence[str]]:
    """Of each column the types that all its texts fit, the narrowest first."""
    return {
        name: _types_of(text for text in column if not missing.no_number(text))
        for name, column in cells.items()
    }


def _types_of(texts: Iterable[str]) -> Sequence[str]:
    candidates: Sequence[str] = _TYPES
    for text in texts:
        candidates = [kind for kind in candidates if _fits(text, kind)]
        if not candidates:
            break
    return [*candidates, "string"]


def _fits(text: str, kind: str) -> bool:
    """The same as ``_as``; where they differ, ``Retype`` sets it right."""
    if kind == "boolean":
        return text.lower() in ("true", "false")
    if re.match(r"0\d", text):
        return False
    if kind in ("int", "bigint"):
        whole = re.fullmatch(r"[+-]?\d{1,19}", text)
        return bool(whole) and abs(int(text)) < 2 ** (31 if kind == "int" else 63)
    if kind == "double":
        return bool(re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text))
    return _fits_time(text, kind)


def _fits_time(text: str, kind: str) -> bool:
    try:
        if kind == "date":
            return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text) and date.fromisoformat(text))
        return len(text) > 10 and bool(datetime.fromisoformat(text.replace("Z", "+00:00")))
    except ValueError:
        return False


def find_types(texts: DataFrame, missing: Missing) -> dict[str, str]:
    """The narrowest type that every value of each column fits: one pass over all rows.

    The first rows tell what to ask, and a second pass is needed only where a later row differs:
    to compile six questions a column takes Spark many times as long as it reads a small file.

    Args:
        texts: all columns are strings.
        missing: what is missing, and so fits every type.
    """
    possible = _possible(_first_cells(texts), missing)
    found = _fitting(texts, {name: kinds[:1] for name, kinds in possible.items()}, missing)
    others = {name: possible[name][1:] for name, kind in found.items() if kind is None}
    found |= _fitting(texts, others, missing)
    return {name: kind or "string" for name, kind in found.items()}


def _fitting(
    texts: DataFrame, asked: Mapping[str, Sequence[str]], missing: Missing
) -> dict[str, str | None]:
    """Of each column the first of some types that all its values fit; None if they fit none."""
    checks = {
        (name, kind): f"NOT ({no_number(text, missing)}) AND ({_as(text, kind)}) IS NULL"
        for name, kinds in asked.items()
        for kind in kinds
        if kind != "string"
        for text in [name_in_sql(name)]
    }
    counts = [f"count_if({check}) AS c{i}" for i, check in enumerate(checks.values())]
    row = texts.selectExpr(*counts).collect()[0] if counts else ()
    misfits = dict(zip(checks, row, strict=True))
    return {
        name: next((kind for kind in kinds if not misfits.get((name, kind))), None)
        for name, kinds in asked.items()
    }


def with_types(
    texts: DataFrame, types: Mapping[str, str], source: str, missing: Missing
) -> DataFrame:
    """The same table with typed columns; a value that does not fit fails with ``Retype``."""
    columns = []
    for name in texts.columns:
        text, kind = name_in_sql(name), types[name]
        if kind == "string":
            columns.append(text)
            continue
        misfit = f"CAST({complaint('retype', f'{source}.{name}', text)} AS {kind})"
        bad = f"CASE WHEN NOT ({no_number(text, missing)}) THEN {misfit} END"
        columns.append(f"coalesce({_as(text, kind)}, {bad}) AS {text}")
    return texts.selectExpr(*columns)


def _as(text: str, kind: str) -> str:
    """The text as a value of the type, null where it is none.

    Stricter than Spark's casts, so that nothing is lost: '007' is a name, '2013' no date.
    """
    value = text_as_number(text) if kind == "double" else f"try_cast({text} AS {kind})"
    if kind == "boolean":
        allowed = f"lower({text}) IN ('true', 'false')"
    elif kind in ("date", "timestamp"):
        length = "= 10" if kind == "date" else "> 10"
        allowed = f"length({text}) {length} AND substring({text}, 5, 1) = '-'"
    else:
        padded = f"startswith({text}, '0') AND substring({text}, 2, 1) BETWEEN '0' AND '9'"
        allowed = f"NOT ({padded})"
    return f"CASE WHEN {allowed} THEN {value} END"
