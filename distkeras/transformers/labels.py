"""Classes in the forms that losses, models and evaluators want."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from distkeras.columns import numeric_column, quoted
from distkeras.errors import ConfigError, DataError
from distkeras.transformers.base import (
    ColumnTransformer,
    doubles,
    is_list,
    let,
    lists,
    number,
    unless,
    whole,
)

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType

__all__ = ["BinaryLabelTransformer", "LabelIndexTransformer", "OneHotTransformer"]


class BinaryLabelTransformer(ColumnTransformer):
    """1 for one label, 0 for all others.

    Args:
        input_column: texts, numbers or booleans.
        output_column: name of the column to append, int.
        label: what becomes 1, of the column's kind.

    Raises:
        ConfigError: the label is no text, number or boolean.
    """

    def __init__(self, input_column: str, output_column: str, label: Any) -> None:
        super().__init__(input_column, output_column, ("input_column", "output_column"))
        # NumPy's scalars are what a look at the data gives.
        self.label = label.item() if isinstance(label, np.generic) else label
        if not isinstance(self.label, str | int | float):
            raise ConfigError(f"label: {label!r} is no text, number or boolean")

    def _expression(self, dataframe: DataFrame) -> Column:
        from pyspark.sql import functions as F

        kind = dataframe.schema[self.input_column].dataType
        self._check_kind(kind.simpleString(), _kind_of(kind))
        label = F.lit(self.label)
        # 0.1 as float is another number than 0.1 as double.
        if kind.typeName() == "float":
            label = label.cast("float")
        return (F.col(quoted(self.input_column)) == label).cast("int")

    def _check_kind(self, shown: str, found: str | None) -> None:
        if found is None:
            raise DataError(
                f"column {self.input_column!r} is {shown}, not texts, numbers or booleans"
            )
        kinds = {str: "text", bool: "boolean"}
        if kinds.get(type(self.label), "number") != found:
            raise ConfigError(
                f"label: {self.label!r} is no {found}, column {self.input_column!r} is {shown}"
            )


def _kind_of(data_type: DataType) -> str | None:
    from pyspark.sql import types

    if isinstance(data_type, types.BooleanType):
        return "boolean"
    if isinstance(data_type, types.NumericType):
        return "number"
    texts = (types.StringType, types.CharType, types.VarcharType)
    return "text" if isinstance(data_type, texts) else None


class OneHotTransformer(ColumnTransformer):
    """A class number as an array with a one at its place among zeros.

    A row whose number is no class of 0 to ``output_dim`` - 1 fails the action.

    Args:
        output_dim: number of classes.
        input_col: class numbers from 0, or arrays or ML vectors of one.
        output_col: name of the column to append, array<float>.

    Raises:
        ConfigError: ``output_dim`` is no whole number above 0.
    """

    def __init__(self, output_dim: int, input_col: str, output_col: str) -> None:
        super().__init__(input_col, output_col)
        self.output_dim = whole(output_dim, "output_dim", 1)

    def _expression(self, dataframe: DataFrame) -> Column:
        if is_list(dataframe, self.input_column):
            return let(doubles(dataframe, self.input_column), self._from_list)
        return self._encoded(numeric_column(dataframe, self.input_column))

    def _from_list(self, values: Column) -> Column:
        from pyspark.sql import functions as F

        size = F.array_size(values)
        place = f"OneHotTransformer: a row of column {self.input_column!r} has "
        encoded = self._encoded(F.get(values, F.lit(0)))
        return unless(size != 1, encoded, place, size, " numbers, not one class number")

    def _encoded(self, index: Column) -> Column:
        from pyspark.sql import functions as F

        value, last = index.cast("double"), self.output_dim - 1
        zero, one, place = F.lit(0).cast("float"), F.lit(1).cast("float"), value.cast("int")
        encoded = F.concat(
            F.array_repeat(zero, place), F.array(one), F.array_repeat(zero, F.lit(last) - place)
        )
        # NaN is above all numbers in Spark.
        wrong = (value < 0) | (value > last) | (value % 1 != 0)
        begin = f"OneHotTransformer: column {self.input_column!r} holds "
        end = f", which is no class of {self.output_dim} (0 to {last})"
        return unless(wrong, encoded, begin, index, end)


class LabelIndexTransformer(ColumnTransformer):
    """The class that a model's output stands for, as in dist-keras 0.2.1.

    It is the first class whose activation reaches the threshold; where none does, the class of
    the largest activation above 0 (the first one of several); where no activation is above 0,
    the default. For probabilities that add up to 1 and a threshold above 0.5, which at most one
    of them can reach, that is always the largest one's class; ``activation_threshold=2`` makes it
    so for any probabilities.

    A row of another length, or with NaN, fails the action.

    Args:
        output_dim: number of classes, at least 2.
        input_col: arrays or ML vectors of one activation per class.
        output_col: name of the column to append, double: what Spark ML's evaluators ask for.
        default_index: the class of a row without an activation above 0.
        activation_threshold: activation that decides for a class at once.

    Raises:
        ConfigError: an argument is no number that can work.
    """

    def __init__(
        self,
        output_dim: int,
        input_col: str = "prediction",
        output_col: str = "prediction_index",
        default_index: int = 0,
        activation_threshold: float = 0.55,
    ) -> None:
        super().__init__(input_col, output_col)
        self.output_dim = whole(output_dim, "output_dim", 2)
        self.default_index = whole(default_index, "default_index")
        self.activation_threshold = number(activation_threshold, "activation_threshold")

    def _expression(self, dataframe: DataFrame) -> Column:
        return let(lists(dataframe, self.input_column), self._checked)

    def _checked(self, values: Column) -> Column:
        from pyspark.sql import functions as F

        size = F.array_size(values)
        begin = f"LabelIndexTransformer: a row of column {self.input_column!r} "
        dimension = f" activations, output_dim is {self.output_dim}"
        bad = F.exists(values, lambda v: v.isNull() | F.isnan(v))
        finite = unless(bad, self._index(values), begin + "holds NaN or null")
        return unless(size != self.output_dim, finite, begin + "has ", size, dimension)

    def _index(self, values: Column) -> Column:
        from pyspark.sql import functions as F

        reached = F.transform(values, lambda v: v >= self.activation_threshold)
        first, largest = F.array_position(reached, True), F.array_max(values)
        index = (
            F.when(first > 0, first - 1)
            .when(largest > 0, F.array_position(values, largest) - 1)
            .otherwise(F.lit(self.default_index))
        )
        return index.cast("double")
