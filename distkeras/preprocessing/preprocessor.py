"""The fitted artifact: raw rows to features and back to labels, with and without Spark."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from distkeras import storage
from distkeras.errors import DataError, StorageError
from distkeras.preprocessing.rows import Missing, category_positions, columns_of, numbers
from distkeras.preprocessing.sql import Kind

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

__all__ = ["OTHER", "CategoricalColumn", "LabelColumn", "NumericColumn", "Preprocessor"]

OTHER = "(other)"
"""What the feature of missing and unseen categories is called."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NumericColumn(_Part):
    """A number x becomes (x - shift) * factor, in 64 bits, then rounded to 32."""

    name: str
    fill: FiniteFloat = Field(description="Stands in for a missing number, in the column's unit.")
    shift: FiniteFloat = Field(description="Subtracted first, in the column's unit.")
    factor: FiniteFloat = Field(description="Multiplied then; 0 for a constant column.")


class CategoricalColumn(_Part):
    """A name becomes one feature per category, or its number."""

    name: str
    kind: Kind = Field(description="The type in which the values are compared.")
    categories: list[bool | int | float | str] = Field(description="In the order of the features.")
    encoding: Literal["onehot", "index"]
    unseen: Literal["other", "error"]

    @property
    def slots(self) -> int:
        """How many different numbers a value can get."""
        return len(self.categories) + (self.unseen == "other")

    @property
    def feature_names(self) -> list[str]:
        """``column=category`` for each one-hot feature, or the column's name."""
        if self.encoding == "index":
            return [self.name]
        names = [*map(str, self.categories), OTHER][: self.slots]
        return [f"{self.name}={name}" for name in names]


class LabelColumn(_Part):
    """The label: classes in the order of their numbers, or a quantity."""

    name: str
    kind: Kind | None = Field(description="The type of the classes; none for a quantity.")
    classes: list[bool | int | float | str] | None


class Preprocessor(_Part):
    """What the training split taught: turns raw rows into float32 features.

    Missing numbers are replaced, numbers scaled, categories encoded. Features stand in the order
    of ``feature_names``: the numeric columns, then the categorical ones.
    """

    version: Literal[1] = 1
    numeric: list[NumericColumn]
    categorical: list[CategoricalColumn]
    label: LabelColumn
    missing_numbers: list[float]
    missing_texts: list[str]

    @property
    def feature_names(self) -> list[str]:
        """One name for each feature."""
        encoded = [name for column in self.categorical for name in column.feature_names]
        return [column.name for column in self.numeric] + encoded

    @property
    def dimension(self) -> int:
        """How many features a row has."""
        return len(self.feature_names)

    @property
    def classes(self) -> list[bool | int | float | str] | None:
        """The raw labels in the order of their numbers; None for regression."""
        return self.label.classes

    @property
    def label_column(self) -> str:
        """The raw label's column."""
        return self.label.name

    @property
    def columns(self) -> list[str]:
        """The raw columns that ``transform`` needs."""
        return [c.name for c in self.numeric] + [c.name for c in self.categorical]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Preprocessor:
        """Reads what ``save`` wrote.

        Raises:
            StorageError: the file is missing, or is no preprocessor.
        """
        try:
            return cls.model_validate(storage.read_json(path))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise StorageError(
                f"{os.fspath(path)}: no preprocessor: {place}: {first['msg']}"
            ) from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one JSON file that a person can read.

        Raises:
            StorageError: the path cannot be written.
        """
        storage.write_json(path, self.model_dump(mode="json"))

    def transform(self, rows: Any, *, first_row: int = 0) -> np.ndarray:
        """Features of raw rows, without Spark.

        Args:
            rows: a pandas DataFrame, a pyarrow Table or RecordBatch, a dict of columns, or a list
                of dicts, one a row. Further columns are ignored.
            first_row: number of the first of them, for messages.

        Returns:
            float32, shape (rows, dimension), finite.

        Raises:
            DataError: a column is absent, a value is no number, an unseen category where that is
                an error, or a number too large for 32 bits; names column and value.
        """
        columns = columns_of(rows, self.columns)
        count = len(next(iter(columns.values()), ()))
        features = np.zeros((count, self.dimension), np.float32)
        for place, fitted in enumerate(self.numeric):
            features[:, place] = self._scaled(fitted, columns[fitted.name], first_row)
        place = len(self.numeric)
        for categorical in self.categorical:
            width = len(categorical.feature_names)
            block = features[:, place : place + width]
            self._encode(categorical, columns[categorical.name], block, first_row)
            place += width
        return features

    def transform_spark(self, dataframe: DataFrame) -> DataFrame:
        """The same features as ``transform``, as a column of a Spark DataFrame.

        Args:
            dataframe: has the raw columns; all of its columns are kept.

        Returns:
            With ``features: array<float>``, and with ``label`` if the raw label is there: the
            class's number (int) or the quantity (float), null where it is missing.

        Raises:
            DataError: a column is absent, has a type that cannot be used, or one named
                ``features`` is there already. A bad value fails the job that meets it.
        """
        from distkeras.preprocessing.expressions import with_features

        return with_features(dataframe, self)

    def labels(self, rows: Any) -> np.ndarray:
        """The labels of raw rows: int64 class numbers or float64 quantities, shape (rows,).

        Raises:
            DataError: a label is missing or of an unknown class.
        """
        column = columns_of(rows, [self.label.name])[self.label.name]
        if self.label.kind is None or self.label.classes is None:
            values = numbers(column, self.label.name, self._missing)
            self._require(np.isfinite(values), column, f"label '{self.label.name}'")
            return values
        kind, classes = self.label.kind, self.label.classes
        found, column = category_positions(column, kind, classes, self._missing)
        self._require(found >= 0, column, f"label '{self.label.name}'")
        return found

    def decode(self, indices: Iterable[int]) -> list[bool | int | float | str]:
        """The raw labels of class numbers.

        Raises:
            DataError: the label is a quantity, or there is no class of that number.
        """
        classes = self.label.classes
        if classes is None:
            raise DataError(f"label '{self.label.name}' is a quantity and has no classes")
        numbers_ = [int(index) for index in indices]
        for number in numbers_:
            if not 0 <= number < len(classes):
                raise DataError(f"class number {number}: there are {len(classes)} classes, from 0")
        return [classes[number] for number in numbers_]

    @property
    def _missing(self) -> Missing:
        return Missing(self.missing_numbers, self.missing_texts)

    def _scaled(self, fitted: NumericColumn, column: pa.Array, first_row: int) -> np.ndarray:
        values = numbers(column, fitted.name, self._missing)
        values[np.isnan(values)] = fitted.fill
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = ((values - fitted.shift) * fitted.factor).astype(np.float32)
        self._require(np.isfinite(scaled), column, f"column '{fitted.name}'", first_row)
        return scaled

    def _encode(
        self, fitted: CategoricalColumn, column: pa.Array, out: np.ndarray, first_row: int
    ) -> None:
        name, categories = fitted.name, fitted.categories
        found, column = category_positions(column, fitted.kind, categories, self._missing)
        if fitted.unseen == "error":
            self._require(found >= 0, column, f"categorical column '{name}'", first_row)
        found[found < 0] = len(categories)
        if fitted.encoding == "index":
            out[:, 0] = found
        else:
            out[np.arange(len(found)), found] = 1

    def _require(self, good: np.ndarray, column: pa.Array, place: str, first_row: int = 0) -> None:
        """Names the first value that is not good."""
        if not good.all():
            row = int(np.argmin(good))
            value = column[row].as_py()
            row += first_row
            raise DataError(f"{place}: {value!r} in row {row} is missing, unseen or out of range")
