"""A fitted preprocessor as Spark expressions: the same numbers as ``Preprocessor.transform``.

Only column expressions, so no row ever leaves the JVM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from distkeras.errors import DataError
from distkeras.preprocessing.cells import category, literals, number
from distkeras.preprocessing.failures import absent, complaint
from distkeras.preprocessing.rows import Missing

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
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
    return dataframe.withColumns(made)


def features(
    fitted: Preprocessor, schema: StructType, missing: Missing, *, checked: bool
) -> Column:
    """All features of a row as ``array<float>``.

    Args:
        fitted: the columns, with what was learned about them.
        schema: of the raw table.
        missing: the sentinels.
        checked: fail on a number that has no finite 32-bit feature. Not needed where the extremes
            of the data are known.
    """
    from pyspark.sql import functions as f

    numeric = []
    for column in fitted.numeric:
        value = number(column.name, schema[column.name].dataType, missing)
        numeric.append(_scaled(column, value, checked=checked))
    blocks = [f.array(*numeric)] if numeric else []
    for part in fitted.categorical:
        kind = schema[part.name].dataType
        blocks.append(_encoded(part, category(part.name, kind, missing, part.kind)))
    return blocks[0] if len(blocks) == 1 else f.concat(*blocks)


def label(fitted: LabelColumn, schema: StructType, missing: Missing) -> Column:
    """The class's number as int, or the quantity as float; null where it is missing."""
    from pyspark.sql import functions as f

    kind = schema[fitted.name].dataType
    if fitted.kind is None or fitted.classes is None:
        return number(fitted.name, kind, missing).cast("float")
    value = category(fitted.name, kind, missing, fitted.kind)
    place = f.array_position(literals(fitted.classes, fitted.kind), value)
    known = f.when(place > 0, place - 1).when(
        place == 0, complaint("label", fitted.name, value).cast("bigint")
    )
    return known.cast("int")


def _scaled(fitted: NumericColumn, value: Column, *, checked: bool) -> Column:
    from pyspark.sql import functions as f

    whole = f.coalesce(value, f.lit(fitted.fill))
    scaled = ((whole - f.lit(fitted.shift)) * f.lit(fitted.factor)).cast("float")
    if not checked:
        return scaled
    bad = complaint("finite", fitted.name, value).cast("float")
    return f.when(scaled.between(f.lit(-_LARGEST), f.lit(_LARGEST)), scaled).otherwise(bad)


def _encoded(fitted: CategoricalColumn, value: Column) -> Column:
    """One category as an array: its number, or a one among zeros.

    The expression does not grow with the number of categories.
    """
    from pyspark.sql import functions as f

    place = f.array_position(literals(fitted.categories, fitted.kind), value)
    if fitted.unseen == "error":
        rest = complaint("unseen", fitted.name, value).cast("bigint")
    else:
        rest = f.lit(fitted.slots).cast("bigint")
    slot = f.when(place > 0, place).otherwise(rest).cast("int")
    if fitted.encoding == "index":
        return f.array((slot - 1).cast("float"))
    zero, one = f.lit(0.0).cast("float"), f.lit(1.0).cast("float")
    before = f.array_repeat(zero, slot - 1)
    return f.concat(before, f.array(one), f.array_repeat(zero, f.lit(fitted.slots) - slot))
