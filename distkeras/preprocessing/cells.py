"""What one cell of a raw table means: a number, a category, or missing.

Spark SQL expressions; ``rows`` says the same without Spark. A change here belongs there too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from distkeras.errors import DataError
from distkeras.preprocessing.failures import complaint
from distkeras.preprocessing.rows import Missing
from distkeras.preprocessing.sql import SQL_TYPE, Kind, literal, name_in_sql, trimmed

if TYPE_CHECKING:
    from pyspark.sql.types import DataType

__all__ = ["MOST_CATEGORIES", "category", "kind_of", "no_number", "number", "text_as_number"]

MOST_CATEGORIES = 1000
"""How many categories a column may have, and classes a label."""


def kind_of(data_type: DataType) -> Kind | None:
    """How the values of a column are compared; None for arrays, structs and the like."""
    from pyspark.sql import types as t

    if isinstance(data_type, t.BooleanType):
        return "boolean"
    if isinstance(data_type, t.IntegralType):
        return "integer"
    if isinstance(data_type, t.FractionalType):
        return "float"
    if isinstance(data_type, t.AtomicType) and not isinstance(data_type, t.BinaryType):
        return "string"
    return "string" if isinstance(data_type, t.NullType) else None


def text_as_number(text: str) -> str:
    """A text as a double, null where it is none.

    The last character is looked at because Java also reads '12d' and '1f' as numbers, and
    such texts are identifiers.
    """
    ends_well = f"substring(rtrim({text}), -1, 1) BETWEEN '.' AND '9'"
    return f"CASE WHEN {ends_well} THEN try_cast({text} AS double) END"


def number(name: str, data_type: DataType, missing: Missing) -> str:
    """A numeric column as double, null where it is missing; text that is no number fails.

    Raises:
        DataError: the column's type can hold no number.
    """
    from pyspark.sql import types as t

    raw = name_in_sql(name)
    if isinstance(data_type, t.StringType):
        value = _strict(raw, name, missing)
    elif isinstance(data_type, t.DoubleType):
        value = raw
    elif isinstance(data_type, t.NumericType | t.BooleanType | t.NullType):
        value = f"CAST({raw} AS double)"
    else:
        raise DataError(
            f"column '{name}' is not numeric: its type is {data_type.simpleString()}; drop it or "
            "convert it in the sql"
        )
    value = f"nanvl({value}, CAST(NULL AS double))"
    if not missing.numbers:
        return value
    return f"CASE WHEN NOT ({value} IN {_list(missing.numbers)}) THEN {value} END"


def _strict(text: str, name: str, missing: Missing) -> str:
    # coalesce: the test for missing text costs nothing where the cast succeeds.
    bad = complaint("number", name, text)
    rest = f"CASE WHEN NOT ({no_number(text, missing)}) THEN CAST({bad} AS double) END"
    return f"coalesce({text_as_number(text)}, {rest})"


def no_number(text: str, missing: Missing) -> str:
    """Whether a text stands for a missing number: null, blank, NaN or a sentinel."""
    blank = f"{text} IS NULL OR trim({text}) = '' OR lower(trim({text})) = 'nan'"
    return blank + (f" OR trim({text}) IN {_list(missing.texts)}" if missing.texts else "")


def category(name: str, data_type: DataType, missing: Missing, wanted: Kind | None = None) -> str:
    """A categorical column or a label in one of four types, null where it is missing.

    Args:
        name: the raw column.
        data_type: its type.
        missing: the sentinels.
        wanted: the type to compare in, if it may be another than the column's own; values that
            cannot be converted count as missing.

    Raises:
        DataError: values of the column's type cannot be compared.
    """
    kind = kind_of(data_type)
    if kind is None:
        raise DataError(f"column '{name}' of type {data_type.simpleString()} holds no categories")
    raw = f"CAST({name_in_sql(name)} AS {SQL_TYPE[kind]})"
    if kind == "string":
        # As the CSV reader does, so that ' red' from elsewhere is the category that training saw.
        raw = trimmed(raw)
    value = f"CASE WHEN NOT ({_absent(raw, kind, missing)}) THEN {raw} END"
    if wanted in (None, kind):
        return value
    if kind == "float" and wanted == "string":
        # Integers that went through a column with nulls in pandas come back as 1.0.
        value = f"CASE WHEN ({value}) = floor({value}) THEN CAST({value} AS bigint) END"
    return f"try_cast({value} AS {SQL_TYPE[wanted]})"


def _absent(value: str, kind: Kind, missing: Missing) -> str:
    tests = [f"{value} IS NULL"]
    if kind == "float":
        tests.append(f"isnan({value})")
    if kind == "string":
        tests.append(f"{value} = ''")
        if missing.texts:
            tests.append(f"{value} IN {_list(missing.texts)}")
    if missing.numbers and kind != "boolean":
        as_number = text_as_number(value) if kind == "string" else f"CAST({value} AS double)"
        tests.append(f"coalesce(({as_number}) IN {_list(missing.numbers)}, false)")
    return " OR ".join(tests)


def _list(values: Iterable[float] | Iterable[str]) -> str:
    return f"({', '.join(sorted(map(literal, values)))})"
