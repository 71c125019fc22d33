"""Numbers in another range. Computed in double, given as float: what models compute with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from distkeras.columns import require_column
from distkeras.errors import ConfigError, DataError
from distkeras.transformers.base import (
    ColumnTransformer,
    Transformer,
    check_dataframe,
    check_name,
    check_output,
    doubles,
    is_list,
    number,
)

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["MinMaxTransformer", "StandardTransformer"]


class MinMaxTransformer(ColumnTransformer):
    """Maps one range of numbers to another, along a line.

    y = n_min + (x - o_min) * (n_max - n_min) / (o_max - o_min)

    Numbers outside the old range land outside the new one: nothing is clipped.

    Args:
        o_min: lower end of the old range.
        o_max: upper end of the old range.
        n_min: what ``o_min`` becomes.
        n_max: what ``o_max`` becomes; below ``n_min`` it turns the order round.
        input_col: arrays of numbers or ML vectors; plain numbers if not ``is_vector``.
        output_col: name of the column to append, array<float>; float if not ``is_vector``.
        is_vector: whether a row holds several numbers.

    Raises:
        ConfigError: an end is no finite number, or a range is empty.
    """

    def __init__(
        self,
        o_min: float,
        o_max: float,
        n_min: float,
        n_max: float,
        input_col: str,
        output_col: str,
        is_vector: bool = True,
    ) -> None:
        super().__init__(input_col, output_col)
        self.o_min, self.o_max = number(o_min, "o_min"), number(o_max, "o_max")
        self.n_min, self.n_max = number(n_min, "n_min"), number(n_max, "n_max")
        if not 0 < self.o_max - self.o_min < math.inf:
            raise ConfigError(f"o_max must be above o_min: {o_max!r} and {o_min!r}")
        if not 0 < abs(self.n_max - self.n_min) < math.inf:
            raise ConfigError(f"n_max must differ from n_min: {n_max!r} and {n_min!r}")
        if not isinstance(is_vector, bool):
            raise ConfigError(f"is_vector must be True or False, not {is_vector!r}")
        self.is_vector = is_vector

    @property
    def scale(self) -> float:
        """How much longer the new range is than the old one; negative for turned order."""
        return (self.n_max - self.n_min) / (self.o_max - self.o_min)

    def _expression(self, dataframe: DataFrame) -> Column:
        from pyspark.sql import functions as F

        values = doubles(dataframe, self.input_column)
        if is_list(dataframe, self.input_column) != self.is_vector:
            found = dataframe.schema[self.input_column].dataType.simpleString()
            raise ConfigError(
                f"is_vector: {self.is_vector!r} does not fit column {self.input_column!r}, "
                f"which is {found}"
            )
        if self.is_vector:
            return F.transform(values, self._mapped).cast("array<float>")
        return self._mapped(values).cast("float")

    def _mapped(self, x: Column) -> Column:
        return (x - self.o_min) * self.scale + self.n_min


class _Moments(NamedTuple):
    """Of one position of a column: its mean, and 1 / standard deviation; 0 for a constant one."""

    mean: float
    factor: float


class StandardTransformer(Transformer):
    """Shifts and scales columns to mean 0 and standard deviation 1, each position by itself.

    y = (x - mean) / std, with the population's standard deviation; a constant gives 0.

    Mean and deviation are those of the DataFrame that is transformed, from one job over its rows
    for all columns together; nulls do not count. Test rows that shall be scaled as the training
    rows were are ``distkeras.preprocessing``'s business.

    Args:
        columns: names (or one name) of columns with numbers, arrays or ML vectors.
        suffix: what the appended columns' names end in after the column's name. They are float,
            or array<float>. An empty one replaces the columns.

    Raises:
        ConfigError: there is no column, one comes twice, or one is no name.
    """

    def __init__(self, columns: Sequence[str], suffix: str = "_normalized") -> None:
        self.columns = (columns,) if isinstance(columns, str) else tuple(columns)
        if not self.columns:
            raise ConfigError(f"columns: {columns!r} names no column")
        for column in self.columns:
            check_name(column, "columns")
            if self.columns.count(column) > 1:
                raise ConfigError(f"columns: {column!r} comes twice")
        if not isinstance(suffix, str):
            raise ConfigError(f"suffix: {suffix!r} is no text")
        self.suffix = suffix

    def transform(self, dataframe: DataFrame) -> DataFrame:
        """The same rows and columns, and for each column the standardised one. Runs one job.

        Args:
            dataframe: a Spark DataFrame with the columns.

        Raises:
            ConfigError: a column is missing, or one to append exists already.
            DataError: a column is not numeric, holds NaN or infinity, or arrays of different
                lengths.
        """
        check_dataframe(dataframe)
        for column in self.columns:
            require_column(dataframe, column, "columns")
            if self.suffix:
                check_output(dataframe, column + self.suffix, "suffix")
        values = [doubles(dataframe, column) for column in self.columns]
        measured = _measure(dataframe, self.columns, values)
        made = {}
        for place, (column, value) in enumerate(zip(self.columns, values, strict=True)):
            found = [row for row in measured if row["place"] == place]
            scaled = _scaled(value, _moments(found, column), is_list(dataframe, column))
            made[column + self.suffix] = scaled
        return dataframe.withColumns(made)


def _measure(
    dataframe: DataFrame, columns: Sequence[str], values: Sequence[Column]
) -> list[dict[str, Any]]:
    """For each position of each column, in order: place, position, mean, std, low, high, rows."""
    from pyspark.sql import functions as F

    empty = F.array().cast("array<double>")
    parts = []
    for place, (column, value) in enumerate(zip(columns, values, strict=True)):
        listed = F.coalesce(value, empty) if is_list(dataframe, column) else F.array(value)
        parts.append(F.transform(listed, _entry(place)))
    entries = dataframe.select(F.explode(F.concat(*parts)).alias("e"))
    groups = entries.groupBy("e.place", "e.position").agg(
        F.avg("e.x").alias("mean"),
        F.stddev_pop("e.x").alias("std"),
        F.min("e.x").alias("low"),
        F.max("e.x").alias("high"),
        F.count("*").alias("rows"),
    )
    rows: list[dict[str, Any]] = groups.toArrow().to_pylist()
    return sorted(rows, key=lambda row: (row["place"], row["position"]))


def _entry(place: int) -> Callable[[Column, Column], Column]:
    from pyspark.sql import functions as F

    return lambda x, position: F.struct(
        F.lit(place).alias("place"), position.alias("position"), x.alias("x")
    )


def _moments(found: Sequence[dict[str, Any]], column: str) -> list[_Moments]:
    rows = [row["rows"] for row in found]
    if len(set(rows)) > 1:
        width = rows.count(rows[0])
        raise DataError(
            f"column {column!r}: some rows have {width} values, others up to {len(rows)}"
        )
    for row in found:
        if row["mean"] is not None and not math.isfinite(row["mean"]):
            raise DataError(
                f"column {column!r}: its mean at position {row['position']} is {row['mean']}; "
                "it holds NaN, infinity or numbers too large to add up"
            )
    return [_position(row["mean"], row["std"], row["low"] == row["high"]) for row in found]


def _position(mean: float | None, std: float, constant: bool) -> _Moments:
    # The sum of equal numbers can round, which leaves a deviation: their extremes tell for sure.
    if mean is None or constant or not std:
        return _Moments(mean or 0.0, 0.0)
    return _Moments(mean, 1 / std)


def _scaled(value: Column, moments: Sequence[_Moments], listed: bool) -> Column:
    from pyspark.sql import functions as F

    if not listed:
        mean, factor = moments[0] if moments else _Moments(0.0, 0.0)
        return ((value - mean) * factor).cast("float")
    means = F.lit([moment.mean for moment in moments]).cast("array<double>")
    factors = F.lit([moment.factor for moment in moments]).cast("array<double>")
    scaled = F.transform(value, lambda x, i: (x - F.get(means, i)) * F.get(factors, i))
    return scaled.cast("array<float>")
