"""Arrow columns as NumPy arrays: the one way in which rows of a DataFrame become numbers.

``to_numpy`` and ``check_finite`` know neither Spark nor Keras. The three functions at the end
look at a Spark DataFrame before a job starts, and import pyspark when they are called.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from distkeras.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = [
    "check_finite",
    "feature_width",
    "is_list",
    "numeric_column",
    "quoted",
    "require_column",
    "require_name",
    "to_numpy",
]


def to_numpy(
    column: pa.Array | pa.ChunkedArray,
    name: str,
    dtype: Any = np.float32,
    *,
    first_row: int = 0,
) -> np.ndarray:
    """Turns one column into an array, without a copy where type and layout allow it.

    A column of one chunk whose values already have the type ``dtype`` is not copied: the result
    is then a read-only view of Arrow's memory, and keeps it alive.

    Args:
        column: numbers, or lists of numbers that all have the same length; slices are respected.
        name: the column's name, for messages.
        dtype: type of the result. An integer type refuses numbers that are not whole.
        first_row: number of the column's first row, for messages.

    Returns:
        Shape (rows,) for numbers, (rows, width) for lists. Lists without any row have width 0,
        unless their type fixes it.

    Raises:
        DataError: a null, a list of another length, a type that is not numeric, or a number that
            ``dtype`` cannot hold; names the column and the first bad row.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if len(chunks) == 1:
        return _chunk(chunks[0], name, dtype, first_row)
    filled = [chunk for chunk in chunks if len(chunk)]
    if not filled:
        return _chunk(pa.array([], column.type), name, dtype, first_row)
    starts = first_row + np.cumsum([0, *(len(chunk) for chunk in filled)])
    parts = [
        _chunk(chunk, name, dtype, int(start)) for chunk, start in zip(filled, starts, strict=False)
    ]
    for part, start in zip(parts, starts, strict=False):
        if part.shape[1:] != parts[0].shape[1:]:
            raise _ragged(name, int(start), part.shape[1], parts[0].shape[1])
    return np.concatenate(parts)


def check_finite(values: np.ndarray, name: str, *, first_row: int = 0) -> None:
    """Refuses NaN and infinity.

    Args:
        values: any shape; the first axis is the row.
        name: the column's name, for messages.
        first_row: number of the first row, for messages.

    Raises:
        DataError: names the column, the first bad row, the position in it and the value.
    """
    # A sum is finite only if every term is, and costs no temporary of the array's size. It can
    # also overflow, so only the slow look below decides.
    if not np.issubdtype(values.dtype, np.floating):
        return
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, *position = bad[0]
        place = f" at position {int(position[0])}" if position else ""
        value = values[tuple(bad[0])]
        raise DataError(f"column {name!r}: row {first_row + int(row)} holds {value}{place}")


def _chunk(array: pa.Array, name: str, dtype: Any, first_row: int) -> np.ndarray:
    if array.null_count:
        row = first_row + int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))
        raise DataError(f"column {name!r}: row {row} is null")
    if not is_list(array.type):
        return _numbers(array, name, dtype, first_row, 1)
    values, width = _flat(array, name, first_row)
    return _numbers(values, name, dtype, first_row, width).reshape(len(array), width)


def is_list(data_type: pa.DataType) -> bool:
    """Whether values of this Arrow type are lists."""
    return bool(
        pa.types.is_list(data_type)
        or pa.types.is_large_list(data_type)
        or pa.types.is_fixed_size_list(data_type)
    )


def _flat(array: pa.Array, name: str, first_row: int) -> tuple[pa.Array, int]:
    """The values of all lists one after another, and the lists' common length."""
    if pa.types.is_fixed_size_list(array.type):
        return array.flatten(), array.type.list_size
    if not len(array):
        return array.values.slice(0, 0), 0
    offsets = _viewed(array.offsets)
    widths = np.diff(offsets)
    width = int(widths[0])
    other = widths != width
    if other.any():
        row = int(np.argmax(other))
        raise _ragged(name, first_row + row, int(widths[row]), width)
    # `values` ignores a slice of the lists; the offsets know where it begins.
    return array.values.slice(int(offsets[0]), width * len(array)), width


def _ragged(name: str, row: int, found: int, expected: int) -> DataError:
    return DataError(
        f"column {name!r}: row {row} has {found} values, the rows before it have {expected}"
    )


def _numbers(values: pa.Array, name: str, dtype: Any, first_row: int, width: int) -> np.ndarray:
    """Flat numbers of type ``dtype``; ``width`` of them make a row."""
    kind = values.type
    if pa.types.is_decimal(kind):
        values = values.cast(pa.float64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise DataError(f"column {name!r} is of type {kind}, not numbers or lists of numbers")
    if values.null_count:
        position = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
        row = first_row + position // width
        raise DataError(f"column {name!r}: row {row} holds a null at position {position % width}")
    # Arrow packs booleans into bits: those alone cannot be viewed in place.
    boolean = pa.types.is_boolean(values.type)
    source = values.to_numpy(zero_copy_only=False) if boolean else _viewed(values)
    return _cast(source, name, np.dtype(dtype), first_row, width)


def _viewed(values: pa.Array) -> np.ndarray:
    """Numbers without a null, where they lie.

    ``to_numpy`` of Arrow would import pandas, for half a second of each worker's.
    """
    dtype = np.dtype(values.type.to_pandas_dtype())
    if not len(values):
        return np.empty(0, dtype)
    _, numbers = values.buffers()
    view = np.frombuffer(numbers, dtype, len(values), values.offset * dtype.itemsize)
    view.flags.writeable = False
    return view


def _cast(
    source: np.ndarray, name: str, dtype: np.dtype[Any], first_row: int, width: int
) -> np.ndarray:
    if source.dtype == dtype:
        return source
    # What overflows becomes infinite, and is found by `check_finite` where that matters.
    with np.errstate(over="ignore", invalid="ignore"):
        result = source.astype(dtype)
    if np.issubdtype(dtype, np.integer):
        changed = result != source
        if changed.any():
            position = int(np.argmax(changed))
            row = first_row + position // width
            raise DataError(
                f"column {name!r}: row {row} holds {source[position]}, "
                f"which is not a whole number that {dtype} can hold"
            )
    return result


def require_column(dataframe: DataFrame, column: str, argument: str) -> None:
    """Refuses a column that the DataFrame does not have.

    Args:
        dataframe: a Spark DataFrame.
        column: the name to look for.
        argument: the argument that named the column, for the message.

    Raises:
        ConfigError: names the column and the nearest one that exists.
    """
    require_name(dataframe.columns, column, argument)


def require_name(known: Sequence[str], column: str, argument: str) -> None:
    """Refuses a column that is not among those known; as ``require_column``."""
    if column in known:
        return
    near = difflib.get_close_matches(column, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    raise ConfigError(f"{argument}: the data has no column {column!r}; {hint}")


def numeric_column(dataframe: DataFrame, column: str, vectors: str = "float32") -> Column:
    """The Spark expression that gives ``to_numpy`` what it can read.

    Arrays and numbers stay as they are, nested arrays become flat ones (row-major), ML vectors
    (dense and sparse) become arrays. Nulls stay null.

    Args:
        dataframe: a Spark DataFrame that has the column.
        column: its name.
        vectors: what the numbers of an ML vector become, "float32" or "float64".

    Raises:
        DataError: the column is neither a number, nor an array of numbers, nor an ML vector.
    """
    from pyspark.sql import functions, types

    found = dataframe.schema[column].dataType
    expression = functions.col(quoted(column))
    if found.typeName() in {"vectorudt", "vector"}:
        from pyspark.ml.functions import vector_to_array

        # Alone it fails at a null, without naming the column.
        array = vector_to_array(expression, vectors)
        return functions.when(expression.isNotNull(), array).alias(column)
    element = found.elementType if isinstance(found, types.ArrayType) else found
    while isinstance(element, types.ArrayType):
        expression, element = functions.flatten(expression).alias(column), element.elementType
    if isinstance(element, types.NumericType | types.BooleanType):
        return expression
    raise DataError(
        f"column {column!r} is {found.simpleString()}, not numbers, arrays of numbers or ML vectors"
    )


def feature_width(dataframe: DataFrame, column: str) -> int | None:
    """How many numbers a row of a column holds, by a look at the first row.

    Args:
        dataframe: a Spark DataFrame that has the column.
        column: its name: numbers (width 1), arrays or ML vectors.

    Returns:
        The width; None where there is no row, or the first one is null.

    Raises:
        DataError: the column is not numeric.
    """
    from pyspark.sql import functions, types

    expression = numeric_column(dataframe, column)
    if isinstance(dataframe.schema[column].dataType, types.NumericType | types.BooleanType):
        return 1
    first = dataframe.select(functions.array_size(expression)).first()
    return None if first is None else first[0]


def quoted(column: str) -> str:
    """Spark reads a dot in a name as a field of a struct, unless it stands in backticks."""
    return "`" + column.replace("`", "``") + "`"
