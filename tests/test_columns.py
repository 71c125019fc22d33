"""Arrow columns as arrays, and the look at a DataFrame before a job."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from distkeras.columns import (
    check_finite,
    feature_width,
    numeric_column,
    require_column,
    to_numpy,
)
from distkeras.errors import ConfigError, DataError

FLOATS = pa.list_(pa.float32())


def lists(rows: object, value: pa.DataType | None = None) -> pa.Array:
    return pa.array(rows, pa.list_(value or pa.float32()))


@given(
    arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(width=32, allow_nan=False),
    ),
    st.data(),
)
def test_lists_come_back_as_they_were_whatever_the_slice_and_chunks(
    table: np.ndarray, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(table)))
    stop = data.draw(st.integers(start, len(table)))
    cut = data.draw(st.integers(0, stop - start))
    column = lists(table.tolist()).slice(start, stop - start)
    expected = table[start:stop]
    if len(expected):
        np.testing.assert_array_equal(to_numpy(column, "x"), expected)
        chunked = pa.chunked_array([column.slice(0, cut), column.slice(cut)])
        np.testing.assert_array_equal(to_numpy(chunked, "x"), expected)


def test_the_right_type_is_a_view_and_another_type_a_copy() -> None:
    column = lists([[1, 2], [3, 4], [5, 6]])
    view = to_numpy(column.slice(1), "x")
    address = column.values.buffers()[1].address + 2 * 4
    assert view.__array_interface__["data"][0] == address
    assert not view.flags.writeable
    assert to_numpy(lists([[1, 2]], pa.float64()), "x").dtype == np.float32


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1, 2], [3, 4]], pa.list_(pa.float32(), 2)),
        pa.array([[9, 9], [1, 2], [3, 4]], pa.list_(pa.float64(), 2)).slice(1),
        pa.array([[1, 2], [3, 4]], pa.large_list(pa.float64())),
        pa.array([[1, 2], [3, 4]], pa.list_(pa.int32())),
    ],
    ids=["fixed", "fixed slice", "large", "integers"],
)
def test_every_kind_of_list(column: pa.Array) -> None:
    result = to_numpy(column, "x")
    np.testing.assert_array_equal(result, np.array([[1, 2], [3, 4]], np.float32))
    assert result.dtype == np.float32


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.float64(), pa.bool_()])
def test_numbers_become_one_axis(kind: pa.DataType) -> None:
    column = pa.array([9, 0, 1], pa.int64()).cast(kind).slice(1)
    for dtype in (np.float32, np.int64):
        result = to_numpy(column, "label", dtype)
        np.testing.assert_array_equal(result, [0, 1])
        assert result.dtype == dtype


def test_decimals() -> None:
    column = pa.array([1, 2], pa.decimal128(10, 2))
    np.testing.assert_array_equal(to_numpy(column, "x"), [1, 2])


def test_no_rows() -> None:
    assert to_numpy(lists([]), "x").shape == (0, 0)
    assert to_numpy(pa.chunked_array([], FLOATS), "x").shape == (0, 0)
    assert to_numpy(pa.chunked_array([lists([]), lists([])]), "x").shape == (0, 0)
    assert to_numpy(pa.array([], pa.list_(pa.float32(), 3)), "x").shape == (0, 3)
    assert to_numpy(pa.array([], pa.int64()), "x").shape == (0,)
    assert to_numpy(lists([[1, 2]]).slice(1), "x").shape == (0, 0)


@pytest.mark.parametrize(
    ("column", "dtype", "message"),
    [
        (lists([[1], None]), np.float32, "column 'x': row 101 is null"),
        (
            lists([[1, 2], [3, None]]),
            np.float32,
            "column 'x': row 101 holds a null at position 1",
        ),
        (
            lists([[1, 2], [1, 2], [3]]),
            np.float32,
            "column 'x': row 102 has 1 values, the rows before it have 2",
        ),
        (
            pa.chunked_array([lists([[1, 2]]), lists([[1, 2, 3]])]),
            np.float32,
            "column 'x': row 101 has 3 values, the rows before it have 2",
        ),
        (
            pa.chunked_array([lists([[1, 2]]), lists([]), lists([[1, 2], None])]),
            np.float32,
            "column 'x': row 102 is null",
        ),
        (
            pa.array(["g"]),
            np.float32,
            "column 'x' is of type string, not numbers or lists of numbers",
        ),
        (
            pa.array([1.0, 0.5]),
            np.int64,
            "column 'x': row 101 holds 0.5, which is not a whole number that int64 can hold",
        ),
        (
            pa.array([1, 300]),
            np.int8,
            "column 'x': row 101 holds 300, which is not a whole number that int8 can hold",
        ),
    ],
)
def test_bad_columns_get_one_line(column: pa.Array, dtype: type, message: str) -> None:
    with pytest.raises(DataError) as caught:
        to_numpy(column, "x", dtype, first_row=100)
    assert str(caught.value) == message


def test_not_finite() -> None:
    check_finite(np.full((3, 2), np.finfo(np.float32).max), "x")
    check_finite(np.array([1, 2]), "x")
    with pytest.raises(DataError, match=r"^column 'x': row 11 holds nan at position 2$"):
        check_finite(np.array([[0, 0, 0], [0, 0, np.nan]]), "x", first_row=10)
    with pytest.raises(DataError, match=r"^column 'y': row 1 holds inf$"):
        check_finite(np.array([0, np.inf]), "y")
    with pytest.raises(DataError, match="row 0 holds inf"):
        check_finite(to_numpy(pa.array([1e300]), "x"), "x")


def test_the_look_at_a_dataframe(spark) -> None:
    from pyspark.ml.linalg import Vectors

    frame = spark.createDataFrame(
        [(1.5, [1.0, 2.0], Vectors.sparse(3, [1], [5.0]), "g")], ["a.b", "array", "vector", "text"]
    )
    assert [feature_width(frame, name) for name in ("a.b", "array", "vector")] == [1, 2, 3]
    assert feature_width(frame.limit(0), "array") is None
    row = frame.select(numeric_column(frame, "vector"), numeric_column(frame, "a.b")).first()
    assert row.asDict() == {"vector": [0.0, 5.0, 0.0], "a.b": 1.5}
    with pytest.raises(DataError, match="column 'text' is string, not numbers"):
        numeric_column(frame, "text")
    with pytest.raises(ConfigError, match=r"no column 'arary'; did you mean 'array'\?"):
        require_column(frame, "arary", "features_col")
    with pytest.raises(ConfigError, match=r"no column 'zzz'; there are a\.b, array, vector, text"):
        require_column(frame, "zzz", "features_col")
