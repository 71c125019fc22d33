"""What one cell of a raw table means: a number, a category, or missing.

Spark expressions; ``rows`` says the same without Spark. A change here belongs there too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distkeras.errors import DataError
from distkeras.preprocessing.failures import complaint
from distkeras.preprocessing.rows import Kind, Missing

if TYPE_CHECKING:
    from pyspark.sql import Column
    from pyspark.sql.types import DataType


__all__ = [
    "MOST_CATEGORIES",
    "category",
    "kind_of",
    "literals",
    "no_number",
    "number",
    "quoted",
    "text_as_number",
]

MOST_CATEGORIES = 1000
"""How many categories a column may have, and classes a label."""

_SQL_TYPE: dict[Kind | None, str] = {
    "boolean": "boolean",
    "float": "double",
    "integer": "bigint",
    "string": "string",
}


def quoted(name: str) -> Column:
    """The column of exactly this name, whatever characters it has."""
    from pyspark.sql import functions as f

    return f.col("`" + name.replace("`", "``") + "`")


def literals(values: Sequence[Any], kind: Kind) -> Column:
    """An array of constants."""
    from pyspark.sql import functions as f

    return f.array(*map(f.lit, values)).cast(f"array<{_SQL_TYPE[kind]}>")


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


def text_as_number(text: Column) -> Column:
    """A text as a double, null where it is none.

    The last character is looked at because Java also reads '12d' and '1f' as numbers, and
    such texts are identifiers.
    """
    from pyspark.sql import functions as f

    ends_well = f.substring(f.rtrim(text), -1, 1).between(".", "9")
    return f.when(ends_well, text.try_cast("double"))


def number(name: str, data_type: DataType, missing: Missing) -> Column:
    """A numeric column as double, null where it is missing; text that is no number fails.

    Raises:
        DataError: the column's type can hold no number.
    """
    from pyspark.sql import functions as f
    from pyspark.sql import types as t

    raw = quoted(name)
    if isinstance(data_type, t.StringType):
        value = _strict(raw, name, missing)
    elif isinstance(data_type, t.NumericType | t.BooleanType | t.NullType):
        value = raw.cast("double")
    else:
        raise DataError(
            f"column '{name}' is not numeric: its type is {data_type.simpleString()}; drop it or "
            "convert it in the sql"
        )
    values = sorted(missing.numbers)
    present = ~f.isnan(value) & ~value.isin(values) if values else ~f.isnan(value)
    return f.when(present, value)


def _strict(text: Column, name: str, missing: Missing) -> Column:
    from pyspark.sql import functions as f

    # coalesce: the test for missing text costs nothing where the cast succeeds.
    bad = f.when(~no_number(text, missing), complaint("number", name, text).cast("double"))
    return f.coalesce(text_as_number(text), bad)


def no_number(text: Column, missing: Missing) -> Column:
    """Whether a text stands for a missing number: null, blank, NaN or a sentinel."""
    from pyspark.sql import functions as f

    bare = f.trim(text)
    blank = text.isNull() | (bare == "") | (f.lower(bare) == "nan")
    return blank | bare.isin(sorted(missing.texts)) if missing.texts else blank


def category(
    name: str, data_type: DataType, missing: Missing, wanted: Kind | None = None
) -> Column:
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
    value = _present(quoted(name).cast(_SQL_TYPE[kind]), kind, missing)
    return value if wanted in (None, kind) else value.try_cast(_SQL_TYPE[wanted])


def _present(value: Column, kind: Kind, missing: Missing) -> Column:
    from pyspark.sql import functions as f

    if kind == "boolean":
        return value
    if kind == "string":
        return f.when(~_no_category(value, missing), value)
    numbers = sorted(missing.numbers)
    absent = value.isNull() if kind == "integer" else f.isnan(value)
    absent = absent | value.cast("double").isin(numbers) if numbers else absent
    return f.when(~absent, value)


def _no_category(text: Column, missing: Missing) -> Column:
    from pyspark.sql import functions as f

    bare, numbers = f.trim(text), sorted(missing.numbers)
    result = bare == ""
    if missing.texts:
        result = result | bare.isin(sorted(missing.texts))
    if numbers:
        as_number = text_as_number(text)
        result = result | f.coalesce(as_number.isin(numbers), f.lit(False))
    return result
