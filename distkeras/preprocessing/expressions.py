"""A fitted preprocessor as Spark expressions: the same numbers as ``Preprocessor.transform``.

Only column expressions, so no row ever leaves the JVM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from distkeras.errors import DataError
from distkeras.preprocessing.cells import category, number
from distkeras.preprocessing.failures import absent, complaint
from distkeras.preprocessing.rows import Missing
from distkeras.preprocessing.settings import settings_for_names
from distkeras.preprocessing.sql import array_of, literal, name_in_sql

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

    from distkeras.preprocessing.preprocessor import (
        CategoricalColumn,
        LabelColumn,
        NumericColumn,
        Preprocessor,
    )

__all__ = ["features", "label", "with_features"]

_LARGEST = 3.4028234663852886e38


def with_features(dataframe: DataFrame, fitted: Preprocessor) -> DataFrame:
    """``Preprocessor.transform_spark``; see there."""
    schema, names = dataframe.schema, dataframe.columns
    for name in fitted.columns:
        if name not in names:
            raise absent("transform_spark", name, names)
    if "features" in names:
        raise DataError("transform_spark: there is a column 'features' already; rename it")
    if "label" in names and fitted.label_column != "label":
        raise DataError("transform_spark: there is a column 'label' already; rename it")
    missing = Missing(fitted.missing_numbers, fitted.missing_texts)
    made = {"features": features(fitted, schema, missing, checked=True)}
    if fitted.label_column in names:
        made["label"] = label(fitted.label, schema, missing)
    kept = [name_in_sql(name) for name in names if name not in made]
    with settings_for_names(dataframe.sparkSession):
        return dataframe.selectExpr(*kept, *(f"{sql} AS {name}" for name, sql in made.items()))


def features(fitted: Preprocessor, schema: StructType, missing: Missing, *, checked: bool) -> str:
    """All features of a row as ``array<float>``: a SQL expression.

    Args:
        fitted: the columns, with what was learned about them.
        schema: of the raw table.
        missing: the sentinels.
        checked: fail on a number that has no finite 32-bit feature. Not needed where the extremes
            of the data are known.
    """
    numeric = []
    for column in fitted.numeric:
        value = number(column.name, schema[column.name].dataType, missing)
        numeric.append(_scaled(column, value, checked=checked))
    blocks = [f"array({', '.join(numeric)})"] if numeric else []
    for part in fitted.categorical:
        kind = schema[part.name].dataType
        blocks.append(_encoded(part, category(part.name, kind, missing, part.kind)))
    return blocks[0] if len(blocks) == 1 else f"concat({', '.join(blocks)})"


def label(fitted: LabelColumn, schema: StructType, missing: Missing) -> str:
    """The class's number as int, or the quantity as float; null where it is missing."""
    kind = schema[fitted.name].dataType
    if fitted.kind is None or fitted.classes is None:
        return f"CAST({number(fitted.name, kind, missing)} AS float)"
    value = category(fitted.name, kind, missing, fitted.kind)
    place = f"array_position({array_of(fitted.classes, fitted.kind)}, {value})"
    unknown = f"CAST({complaint('label', fitted.name, value)} AS bigint)"
    return (
        f"CAST(CASE WHEN {place} > 0 THEN {place} - 1 WHEN {place} = 0 THEN {unknown} END AS int)"
    )


def _scaled(fitted: NumericColumn, value: str, *, checked: bool) -> str:
    whole = f"coalesce({value}, {literal(fitted.fill)})"
    scaled = f"({whole} - {literal(fitted.shift)}) * {literal(fitted.factor)}"
    scaled = f"CAST({scaled} AS float)"
    if not checked:
        return scaled
    bad = f"CAST({complaint('finite', fitted.name, value)} AS float)"
    return f"CASE WHEN abs({scaled}) <= {literal(_LARGEST)} THEN {scaled} ELSE {bad} END"


def _encoded(fitted: CategoricalColumn, value: str) -> str:
    """One category as an array: its number, or a one among zeros.

    The expression does not grow with the number of categories.
    """
    place = f"array_position({array_of(fitted.categories, fitted.kind)}, {value})"
    rest = f"{fitted.slots}"
    if fitted.unseen == "error":
        rest = f"CAST({complaint('unseen', fitted.name, value)} AS bigint)"
    slot = f"CAST(CASE WHEN {place} > 0 THEN {place} ELSE {rest} END AS int)"
    if fitted.encoding == "index":
        return f"array(CAST({slot} - 1 AS float))"
    zero, one = "CAST(0 AS float)", "CAST(1 AS float)"
    before = f"array_repeat({zero}, {slot} - 1)"
    return f"concat({before}, array({one}), array_repeat({zero}, {fitted.slots} - {slot}))"
