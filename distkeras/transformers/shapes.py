"""The same numbers in another form: dense, or in another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from distkeras.columns import numeric_column
from distkeras.errors import ConfigError
from distkeras.transformers.base import ColumnTransformer, let, lists, unless, whole

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["DenseTransformer", "ReshapeTransformer"]


class DenseTransformer(ColumnTransformer):
    """Writes sparse vectors out, zeros included.

    The output is array<float>, which Arrow moves without a copy and models compute with, where
    dist-keras gave an ML vector; ``pyspark.ml.functions.array_to_vector`` makes one of it.

    Args:
        input_col: ML vectors, sparse or dense, or arrays of numbers.
        output_col: name of the column to append.
    """

    def __init__(self, input_col: str, output_col: str) -> None:
        super().__init__(input_col, output_col)

    def _expression(self, dataframe: DataFrame) -> Column:
        return lists(dataframe, self.input_column).cast("array<float>")


class ReshapeTransformer(ColumnTransformer):
    """Gives a row's numbers another shape, row-major: the last axis runs fastest.

    A shape of several axes gives nested arrays, one of one axis a flat array; nested input is
    read row-major too. Elements keep their type; those of ML vectors become float.

    Models need no shape from a column: training and prediction give a row the shape of the
    model's input.

    Args:
        input_col: arrays of numbers or ML vectors, each of as many numbers as the shape has.
        output_col: name of the column to append.
        shape: numbers along each axis, e.g. ``(28, 28, 1)``; or one number.

    Raises:
        ConfigError: the shape is empty, or an axis is no whole number above 0.
    """

    def __init__(self, input_col: str, output_col: str, shape: Sequence[int] | int) -> None:
        super().__init__(input_col, output_col)
        axes = tuple(shape) if isinstance(shape, Sequence) else (shape,)
        if not axes:
            raise ConfigError(f"shape: {shape!r} has no axes")
        self.shape = tuple(whole(axis, f"shape {shape!r}: an axis", 1) for axis in axes)

    def _expression(self, dataframe: DataFrame) -> Column:
        lists(dataframe, self.input_column)  # for its error
        shaped = let(numeric_column(dataframe, self.input_column), self._checked)
        for axis in range(len(self.shape) - 1, 0, -1):
            count, width = math.prod(self.shape[:axis]), self.shape[axis]
            shaped = let(shaped, partial(_cut, count=count, width=width))
        return shaped

    def _checked(self, values: Column) -> Column:
        from pyspark.sql import functions as F

        size, total = F.array_size(values), math.prod(self.shape)
        place = f"ReshapeTransformer: a row of column {self.input_column!r} has "
        shape = f" numbers, the shape {self.shape} has {total}"
        return unless(size != total, values, place, size, shape)


def _cut(values: Column, count: int, width: int) -> Column:
    """An array as ``count`` arrays of ``width`` elements."""
    from pyspark.sql import functions as F

    places = F.sequence(F.lit(0), F.lit(count - 1))
    return F.transform(places, lambda place: F.slice(values, place * width + 1, width))
