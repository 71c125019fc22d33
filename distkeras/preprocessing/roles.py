"""Which column of the table does what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from distkeras.errors import DataError
from distkeras.preprocessing.failures import absent

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from distkeras.preprocessing.spec import PreprocessSpec

__all__ = ["Roles", "find_roles"]


@dataclass(frozen=True)
class Roles:
    """The feature columns, in the order of the features."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]


def find_roles(table: DataFrame, spec: PreprocessSpec) -> Roles:
    """Checks that every column that the spec names is there, and finds the numeric ones.

    Raises:
        DataError: a column is absent, occurs twice, or none is left for the features.
    """
    there = table.columns
    for name in there:
        if there.count(name) > 1:
            raise DataError(f"there are {there.count(name)} columns '{name}'; rename in the sql")
    asked = {
        "label.column": [spec.label.column],
        "split.column": [spec.split.column] if spec.split.column else [],
        "categorical.columns": spec.categorical.columns,
        "numeric": spec.numeric or (),
        "drop": spec.drop,
    }
    for key, names in asked.items():
        for name in names:
            if name not in there:
                raise absent(f"preprocess.{key}", name, there)
    other = {name for key, names in asked.items() if key != "numeric" for name in names}
    numeric = spec.numeric if spec.numeric is not None else [c for c in there if c not in other]
    if not numeric and not spec.categorical.columns:
        raise DataError(f"no column is left for the features: the table has {', '.join(there)}")
    return Roles(tuple(numeric), spec.categorical.columns)
