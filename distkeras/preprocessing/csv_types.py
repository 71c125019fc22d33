"""The types of a CSV file's columns, without a pass over the file.

Spark's ``inferSchema`` reads the whole input once more before the work begins. Here the types
come from the first rows; a later value that does not fit fails with ``Retype``, and only then is
the whole input looked at. So the types are those of the whole input either way, and the usual
input is not read twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from distkeras.preprocessing.cells import no_number, quoted, text_as_number
from distkeras.preprocessing.failures import complaint
from distkeras.preprocessing.rows import Missing

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


__all__ = ["SAMPLE_ROWS", "find_types", "with_types"]

SAMPLE_ROWS = 1000
"""How many rows decide first."""

# The narrowest first. A column without any value gets the first one.
_TYPES = ("int", "bigint", "double", "boolean", "date", "timestamp")


def find_types(texts: DataFrame, missing: Missing) -> dict[str, str]:
    """The narrowest type that every value of each column fits, in one aggregation.

    Args:
        texts: all columns are strings.
        missing: what is missing, and so fits every type.
    """
    from pyspark.sql import functions as f

    checks = [
        f.count_if(~no_number(quoted(name), missing) & _as(quoted(name), kind).isNull()).alias(
            f"{kind}_{i}"
        )
        for i, name in enumerate(texts.columns)
        for kind in _TYPES
    ]
    misfits = texts.agg(*checks).collect()[0]
    return {
        name: next((kind for kind in _TYPES if misfits[f"{kind}_{i}"] == 0), "string")
        for i, name in enumerate(texts.columns)
    }


def with_types(
    texts: DataFrame, types: Mapping[str, str], source: str, missing: Missing
) -> DataFrame:
    """The same table with typed columns; a value that does not fit fails with ``Retype``."""
    from pyspark.sql import functions as f

    columns = []
    for name in texts.columns:
        text, kind = quoted(name), types[name]
        if kind != "string":
            misfit = complaint("retype", f"{source}.{name}", text).cast(kind)
            bad = f.when(~no_number(text, missing), misfit)
            text = f.coalesce(_as(text, kind), bad)
        columns.append(text.alias(name))
    return texts.select(*columns)


def _as(text: Column, kind: str) -> Column:
    """The text as a value of the type, null where it is none.

    Stricter than Spark's casts, so that nothing is lost: '007' is a name, '2013' no date.
    """
    from pyspark.sql import functions as f

    if kind == "boolean":
        return f.when(f.lower(text).isin("true", "false"), text.try_cast(kind))
    if kind in ("date", "timestamp"):
        like_date = (f.length(text) == 10) if kind == "date" else (f.length(text) > 10)
        return f.when(like_date & (f.substring(text, 5, 1) == "-"), text.try_cast(kind))
    padded = text.startswith("0") & f.substring(text, 2, 1).between("0", "9")
    value = text_as_number(text) if kind == "double" else text.try_cast(kind)
    return f.when(~padded, value)
