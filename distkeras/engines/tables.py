"""Rows that are in memory already: a pandas DataFrame, an Arrow table or a dict of arrays.

The engines that need no Spark take these. They are dealt out as Spark deals its rows, so that one
worker sees the same rows in the same order whatever the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from distkeras.columns import is_list, require_name
from distkeras.engines.summary import Found, Summary, summary_of
from distkeras.errors import ConfigError, DataError
from distkeras.names import KEY, Columns

__all__ = ["deal_table", "summarise_table", "table_of"]


def table_of(rows: Any, columns: Columns) -> pa.Table:
    """The columns that training needs, under fixed names.

    Args:
        rows: a pandas DataFrame, an Arrow table, or a dict of arrays whose first axis is the row;
            further axes are flattened, row-major.
        columns: the user's names.

    Raises:
        ConfigError: if a column is missing, or ``rows`` is none of these.
        DataError: if a column is not numeric.
    """
    table = _to_arrow(rows, tuple(columns.fixed.values()))
    chosen = {fixed: _numeric(table[name], name) for fixed, name in columns.fixed.items()}
    return pa.table(chosen)


def summarise_table(table: pa.Table, columns: Columns) -> Summary:
    """Counts and measures the rows.

    Args:
        table: from ``table_of``.
        columns: the user's names, for messages.

    Raises:
        DataError: as ``summary.summary_of`` says.
    """
    found = {column: _found(table[column]) for column in columns.fixed}
    return summary_of(len(table), found, columns)


def deal_table(table: pa.Table, workers: int, shuffle_seed: int | None = None) -> list[pa.Table]:
    """Deals the rows out in turn, so that no worker has two rows more than another.

    Args:
        table: from ``table_of``.
        workers: wanted.
        shuffle_seed: if given, who gets which row is drawn from it.
    """
    places = np.arange(len(table))
    keyed = table.append_column(KEY, pa.array(places))
    if shuffle_seed is not None:
        places = np.random.default_rng(shuffle_seed).permutation(places)
    return [keyed.take(np.sort(places[worker::workers])) for worker in range(workers)]


def _to_arrow(rows: Any, names: tuple[str, ...]) -> pa.Table:
    if isinstance(rows, pa.Table):
        _require(rows.column_names, names)
        return rows
    if isinstance(rows, Mapping):
        _require(list(rows), names)
        arrays = {name: _array(np.asarray(rows[name]), name) for name in names}
        lengths = {name: len(array) for name, array in arrays.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"the arrays have different numbers of rows: {lengths}")
        return pa.table(arrays)
    if hasattr(rows, "columns") and hasattr(rows, "to_numpy"):
        _require(list(rows.columns), names)
        return pa.Table.from_pandas(rows[list(dict.fromkeys(names))], preserve_index=False)
    if hasattr(rows, "sparkSession"):
        raise ConfigError("the rows are a Spark DataFrame, but are read here: give rows.toPandas()")
    raise ConfigError(
        f"the rows are a {type(rows).__name__}, but must be a pandas DataFrame, an Arrow table, "
        "a dict of arrays or, to train, a Spark DataFrame"
    )


def _array(values: np.ndarray, name: str) -> pa.Array:
    if values.dtype.kind == "f" and values.dtype.itemsize < 4:
        values = values.astype(np.float32)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.ndim == 0 or 0 in values.shape[1:]:
        raise DataError(f"column {name!r} has the shape {values.shape}, but must hold numbers")
    if values.ndim < 2:
        return pa.array(values)
    flat = np.ascontiguousarray(values).reshape(len(values), prod(values.shape[1:]))
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), flat.shape[1])


def _require(known: list[str], names: tuple[str, ...]) -> None:
    for name in names:
        require_name(known, name, "rows")


def _numeric(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    while is_list(column.type) and is_list(column.type.value_type):
        column = pa.chunked_array([_flattened(chunk) for chunk in column.chunks])
    element = column.type.value_type if is_list(column.type) else column.type
    if pa.types.is_boolean(element):
        return column.cast(pa.list_(pa.int8()) if is_list(column.type) else pa.int8())
    if pa.types.is_decimal(element):
        return column.cast(pa.list_(pa.float64()) if is_list(column.type) else pa.float64())
    if not (pa.types.is_integer(element) or pa.types.is_floating(element)):
        raise DataError(f"column {name!r} is {column.type}, not numbers or arrays of numbers")
    return column


def _flattened(array: pa.Array) -> pa.Array:
    """Lists of lists as lists."""
    lists = array.cast(pa.large_list(array.type.value_type))
    inner = lists.flatten()
    lengths = pc.fill_null(pc.list_value_length(inner), 0).to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    rows = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = ends[np.concatenate([[0], np.cumsum(rows)])]
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), inner.flatten())


def _found(column: pa.ChunkedArray) -> Found:
    array = is_list(column.type)
    values = pc.list_value_length(column) if array else column
    bounds = pc.min_max(values).as_py()
    return Found(array, len(column) - column.null_count, bounds["min"], bounds["max"])
