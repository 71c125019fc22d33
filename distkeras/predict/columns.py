"""The columns that predictions become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from distkeras.columns import to_numpy
from distkeras.errors import ConfigError
from distkeras.preprocessing.sql import array_of, literal, name_in_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from distkeras.preprocessing.sql import Kind

__all__ = ["PREDICTION", "Appended"]

#: What the model gives, and which class that is.
PREDICTION, CLASS = "prediction", "predicted"


@dataclass(frozen=True)
class Appended:
    """What stands after the raw columns: the model's output and, where it has classes, the class.

    Attributes:
        width: numbers in a row of the output.
        classes: raw labels in the order of their numbers; None where none are known.
        kind: their type, where there are some.
        flat: a column for each number, as CSV has no lists: ``prediction_<class>``, or
            ``prediction`` for a single one. Otherwise one column of lists.
    """

    width: int
    classes: Sequence[Any] | None
    kind: Kind | None
    flat: bool

    @property
    def numbers(self) -> list[str]:
        """The names of the columns with the output."""
        if not self.flat or self.width == 1:
            return [PREDICTION]
        fit = self.classes is not None and len(self.classes) == self.width
        ends = self.classes if fit and self.classes else range(self.width)
        return [f"{PREDICTION}_{end}" for end in ends]

    @property
    def decides(self) -> bool:
        """Whether the output names a class: by its largest number, or a single one above 0.5."""
        if self.classes is None:
            return False
        return self.width == len(self.classes) or (self.width, len(self.classes)) == (1, 2)

    def check(self, there: Sequence[str]) -> None:
        """Refuses raw columns that have one of these names.

        Raises:
            ConfigError: names it.
        """
        folded = {name.lower(): name for name in there}
        for name in [*self.numbers, PREDICTION, *([CLASS] if self.decides else [])]:
            if name.lower() in folded:
                raise ConfigError(
                    f"--input: it has a column '{folded[name.lower()]}' already, the name of one "
                    "to append"
                )

    def in_arrow(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The columns made of the last one, lists of float32."""
        names, columns = rows.schema.names[:-1], rows.columns[:-1]
        output = to_numpy(rows.columns[-1], PREDICTION).reshape(rows.num_rows, self.width)
        made = dict(zip(names, columns, strict=True))
        if self.flat:
            made |= {name: pa.array(output[:, i]) for i, name in enumerate(self.numbers)}
        else:
            made[PREDICTION] = rows.columns[-1]
        if self.decides:
            made[CLASS] = pa.array(self.classes).take(pa.array(self._places(output)))
        return pa.RecordBatch.from_arrays(list(made.values()), names=list(made))

    def in_spark(self, rows: DataFrame) -> DataFrame:
        """The same of the column ``prediction``, in Spark."""
        kept = [name_in_sql(name) for name in rows.columns if name != PREDICTION]
        made = [PREDICTION]
        if self.flat:
            made = [
                f"{PREDICTION}[{i}] AS {name_in_sql(name)}" for i, name in enumerate(self.numbers)
            ]
        if self.decides and self.kind is not None and self.classes is not None:
            place = f"array_position({PREDICTION}, array_max({PREDICTION})) - 1"
            if self.width == 1:
                place = f"if({PREDICTION}[0] > {literal(0.5)}, 1, 0)"
            classes = array_of(self.classes, self.kind)
            made.append(f"get({classes}, CAST({place} AS int)) AS {CLASS}")
        return rows.selectExpr(*kept, *made)

    def _places(self, output: np.ndarray) -> np.ndarray:
        if self.width == 1:
            return (output[:, 0] > 0.5).astype(np.int64)
        places: np.ndarray = output.argmax(axis=1)
        return places
