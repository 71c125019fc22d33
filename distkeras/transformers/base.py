"""What the transformers share: their arguments' checks, and the columns they read and write."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from distkeras.columns import numeric_column, require_column
from distkeras.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = [
    "ColumnTransformer",
    "Transformer",
    "check_dataframe",
    "check_name",
    "check_output",
    "doubles",
    "is_list",
    "let",
    "lists",
    "number",
    "unless",
    "whole",
]


class Transformer(ABC):
    """One DataFrame in, one out."""

    @abstractmethod
    def transform(self, dataframe: DataFrame) -> DataFrame:
        """The same rows, with what this transformer adds.

        Args:
            dataframe: a Spark DataFrame.

        Raises:
            ConfigError: a column is missing, or one to append exists already.
            DataError: a column has a type that cannot be used.
        """


class ColumnTransformer(Transformer):
    """Computes one column from another one of the same row.

    Args:
        input_column: the column to read.
        output_column: the column to append. The input column's name replaces that column.
        arguments: what the user calls these two, for messages.

    Raises:
        ConfigError: one of them is no name.
    """

    def __init__(
        self,
        input_column: str,
        output_column: str,
        arguments: tuple[str, str] = ("input_col", "output_col"),
    ) -> None:
        check_name(input_column, arguments[0])
        check_name(output_column, arguments[1])
        self.input_column = input_column
        self.output_column = output_column
        self._arguments = arguments

    def transform(self, dataframe: DataFrame) -> DataFrame:
        """The same rows and columns, and the output column.

        Args:
            dataframe: a Spark DataFrame with the input column.

        Raises:
            ConfigError: the input column is missing, or the output column exists already.
            DataError: the input column has a type that cannot be used.
        """
        check_dataframe(dataframe)
        require_column(dataframe, self.input_column, self._arguments[0])
        if self.output_column != self.input_column:
            check_output(dataframe, self.output_column, self._arguments[1])
        return dataframe.withColumn(self.output_column, self._expression(dataframe))

    @abstractmethod
    def _expression(self, dataframe: DataFrame) -> Column:
        """The output column, for a DataFrame that has the input column."""


def check_dataframe(dataframe: Any) -> None:
    """Refuses what is no Spark DataFrame."""
    from pyspark.sql import DataFrame

    if not isinstance(dataframe, DataFrame):
        raise ConfigError(f"dataframe: is {type(dataframe).__name__}, not a Spark DataFrame")


def check_output(dataframe: DataFrame, column: str, argument: str) -> None:
    """Refuses to overwrite a column; Spark takes names that differ only in case for the same."""
    exact = dataframe.sparkSession.conf.get("spark.sql.caseSensitive") == "true"
    for name in dataframe.columns:
        if name == column or (not exact and name.lower() == column.lower()):
            raise ConfigError(f"{argument}: the data already has a column {name!r}")


def check_name(value: Any, argument: str) -> None:
    """Refuses what is no column's name."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{argument}: {value!r} is no name of a column")


def whole(value: Any, argument: str, least: int | None = None) -> int:
    """The argument as a whole number, refused where it is none or below ``least``."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ConfigError(f"{argument} must be a whole number, not {value!r}")
    if least is not None and value < least:
        raise ConfigError(f"{argument} must be at least {least}, not {value!r}")
    return int(value)


def number(value: Any, argument: str) -> float:
    """The argument as a finite number."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ConfigError(f"{argument} must be a finite number, not {value!r}")
    return float(value)


def is_list(dataframe: DataFrame, column: str) -> bool:
    """Whether a row of the column holds several numbers: an array or an ML vector."""
    return dataframe.schema[column].dataType.typeName() in {"array", "vector", "vectorudt"}


def doubles(dataframe: DataFrame, column: str) -> Column:
    """The column as double, or as array<double> where it has arrays or ML vectors."""
    kind = "array<double>" if is_list(dataframe, column) else "double"
    return numeric_column(dataframe, column, vectors="float64").cast(kind)


def lists(dataframe: DataFrame, column: str) -> Column:
    """The column as array<double>.

    Raises:
        DataError: it has no arrays of numbers and no ML vectors.
    """
    if not is_list(dataframe, column):
        found = dataframe.schema[column].dataType.simpleString()
        raise DataError(f"column {column!r} is {found}, not arrays of numbers or ML vectors")
    return doubles(dataframe, column)


def let(value: Column, function: Callable[[Column], Column]) -> Column:
    """``function(value)``, with ``value`` computed once a row; null where it is null.

    Spark computes an expression again at each place where a lambda function mentions it.
    """
    from pyspark.sql import functions as F

    return F.get(
        F.transform(F.array(value), lambda v: F.when(v.isNotNull(), function(v))), F.lit(0)
    )


def unless(wrong: Column, value: Column, *message: str | Column) -> Column:
    """``value``, or an error at the first row where ``wrong`` is true.

    Args:
        wrong: boolean; null counts as false.
        value: the expression.
        message: what the error says: texts, and the columns whose values stand between them.
    """
    from pyspark.sql import functions as F

    parts = [
        F.lit(part) if isinstance(part, str) else F.coalesce(part.cast("string"), F.lit("null"))
        for part in message
    ]
    return F.when(wrong, F.raise_error(F.concat(*parts))).otherwise(value)
