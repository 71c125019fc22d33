"""Raw rows without Spark: the same meaning of a cell as in ``cells``, in NumPy and Arrow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from distkeras.errors import DataError
from distkeras.preprocessing.failures import absent
from distkeras.preprocessing.sql import WHITE_SPACE, Kind

__all__ = ["Missing", "category_positions", "columns_of", "numbers"]


class Missing:
    """The sentinels of a fitted preprocessor.

    Args:
        numbers: numeric sentinels.
        texts: sentinels that are text.
    """

    def __init__(self, numbers: Iterable[float], texts: Iterable[str]) -> None:
        self.numbers = frozenset(numbers)
        self.texts = frozenset(texts)

    def no_number(self, text: str) -> bool:
        """Whether a text stands for a missing number."""
        bare = text.strip()
        return not bare or bare.lower() == "nan" or bare in self.texts


def columns_of(rows: Any, names: Sequence[str]) -> dict[str, pa.Array]:
    """The named columns as Arrow arrays of equal length.

    Args:
        rows: a pandas DataFrame, a pyarrow Table or RecordBatch, a dict of columns, or a list of
            dicts, one a row, in which a key may be absent: the value is missing then.
        names: the columns to take.

    Raises:
        DataError: a column is absent (the nearest name is said), or lengths differ.
    """
    if isinstance(rows, Sequence) and not isinstance(rows, str | bytes):
        return {name: _column_of_dicts(rows, name) for name in names}
    there = _names(rows)
    for name in names:
        if name not in there:
            raise absent("rows", name, there)
    columns = {name: _array(rows[name], name) for name in names}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"rows: the columns have different lengths: {lengths}")
    return columns


def _names(rows: Any) -> list[str]:
    if isinstance(rows, pa.Table | pa.RecordBatch):
        return list(rows.schema.names)
    if isinstance(rows, Mapping) or hasattr(rows, "columns"):
        return [str(name) for name in rows]
    raise DataError(
        f"rows: {type(rows).__name__} is neither a pandas DataFrame, a pyarrow Table, a dict of "
        "columns nor a list of dicts"
    )


def _column_of_dicts(rows: Sequence[Mapping[str, Any]], name: str) -> pa.Array:
    if rows and not any(name in row for row in rows):
        raise absent("rows", name, {key for row in rows for key in row})
    return _array([row.get(name) for row in rows], name)


def _array(values: Any, name: str) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks()
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise DataError(f"rows: column '{name}' is {values!r}, not a sequence of values")
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # Numbers and texts side by side: every value is then read as text would be.
        return pa.array([_as_text(value) for value in values], pa.string())


def _as_text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def numbers(column: pa.Array, name: str, missing: Missing) -> np.ndarray:
    """A column as float64, shape (rows,), NaN where it is missing.

    Raises:
        DataError: a text is no number, or the type can hold none; names column and value.
    """
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values = _parse(column, name, missing)
    elif pa.types.is_dictionary(kind):
        return numbers(column.dictionary_decode(), name, missing)
    elif _holds_numbers(kind):
        values = np.array(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    else:
        raise DataError(f"column '{name}' is not numeric: its type is {kind}")
    if missing.numbers:
        values[np.isin(values, sorted(missing.numbers))] = np.nan
    return values


def _holds_numbers(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    return any(test(kind) for test in (*tests, pa.types.is_decimal, pa.types.is_null))


def _parse(column: pa.Array, name: str, missing: Missing) -> np.ndarray:
    bare = pc.utf8_trim_whitespace(column)
    known = pa.array(sorted({"", "nan", "NaN", *missing.texts}), bare.type)
    bare = pc.if_else(pc.is_in(bare, known), None, bare)
    try:
        values = bare.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        values = [_number(text, name, missing) for text in bare.to_pylist()]
    return np.array(values, np.float64)


def _number(text: str | None, name: str, missing: Missing) -> float:
    if text is None or missing.no_number(text):
        return math.nan
    try:
        if text[-1] in "./0123456789" and "_" not in text:
            return float(text)
    except ValueError:
        pass
    raise DataError(f"column '{name}' is not numeric: it holds '{text}'")


def category_positions(
    column: pa.Array, kind: Kind, categories: Sequence[Any], missing: Missing
) -> tuple[np.ndarray, pa.Array]:
    """Where each value stands among the categories.

    Args:
        column: raw values, any type.
        kind: the type in which values were compared when the categories were found.
        categories: in the order of their numbers.
        missing: the sentinels.

    Returns:
        Positions, int64, shape (rows,), -1 for an unseen value and -2 for a missing one; and the
        column itself, as it was looked up.
    """
    place = {value: i for i, value in enumerate(categories)}
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    found = [-2]
    for value in column.dictionary.to_pylist():
        key = _key(value, kind, missing)
        found.append(-2 if key is None else place.get(key, -1))
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.array(found, np.int64)[codes + 1], column


def _key(value: Any, kind: Kind, missing: Missing) -> Any:
    """The value as its kind compares it; None if it is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        value = value.strip(WHITE_SPACE)
        if not value or value in missing.texts:
            return None
    number = _as_number(value)
    if number is not None and number in missing.numbers:
        return None
    return _READ[kind](value, number)


def _as_number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value) if not isinstance(value, str) or value[-1:].isdigit() else None
    except (TypeError, ValueError):
        return None


def _integer(value: Any, number: float | None) -> Any:
    if isinstance(value, str):
        return int(value) if value.strip().lstrip("+-").isdecimal() else value
    return int(value) if number is not None and number.is_integer() else value


def _boolean(value: Any, number: float | None) -> Any:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower(), value)
    return bool(value) if value in (0, 1) else value


_READ: dict[Kind, Any] = {
    "boolean": _boolean,
    "float": lambda value, number: value if number is None else number,
    "integer": _integer,
    "string": lambda value, number: value if isinstance(value, str) else _as_text(value),
}
