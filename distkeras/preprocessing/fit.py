"""From what was measured to fitted columns, on the driver, without Spark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from distkeras.errors import DataError
from distkeras.preprocessing.cells import MOST_CATEGORIES
from distkeras.preprocessing.measure import Measured, Sums, Tally
from distkeras.preprocessing.preprocessor import CategoricalColumn, LabelColumn, NumericColumn
from distkeras.preprocessing.spec import PreprocessSpec
from distkeras.preprocessing.sql import Kind

__all__ = [
    "check_labels",
    "fit_categorical",
    "fit_classes",
    "fit_numeric",
    "fit_quantity",
]

_LARGEST = float(np.finfo(np.float32).max)


def fit_numeric(
    names: Sequence[str],
    measured: Measured,
    medians: Sequence[float | None] | None,
    spec: PreprocessSpec,
) -> list[NumericColumn]:
    """How each numeric column is filled and scaled.

    Args:
        names: of the columns, in the order of the measurements.
        measured: by the statistics pass.
        medians: one a column, if that is the strategy.
        spec: strategy and scale.

    Raises:
        DataError: a column is missing in all of training where its mean or median is needed, or
            holds infinity or a number too large for 32 bits once scaled; names the column.
    """
    fitted = []
    for i, name in enumerate(names):
        _check_finite(name, i, measured)
        fill = _fill(name, i, measured.train, medians, spec)
        shift, factor = _affine(i, measured.train, fill, spec.scale)
        column = NumericColumn(name=name, fill=fill, shift=shift, factor=factor)
        _check_range(column, i, measured)
        fitted.append(column)
    return fitted


def _fill(
    name: str,
    i: int,
    train: Sums,
    medians: Sequence[float | None] | None,
    spec: PreprocessSpec,
) -> float:
    strategy = spec.missing.strategy
    if strategy == "constant":
        return spec.missing.constant
    if train.count[i] == 0:
        raise DataError(
            f"column '{name}' is missing in all {train.rows} training rows and has no {strategy}; "
            "drop it, or set missing.strategy = 'constant'"
        )
    found = medians[i] if medians is not None else train.mean[i]
    return float(train.low[i] if found is None else found)


def _affine(i: int, train: Sums, fill: float, scale: str) -> tuple[float, float]:
    """(shift, factor); the factor is 0 for a column that is constant in training."""
    if scale == "none":
        return 0.0, 1.0
    if train.count[i] == 0:
        return fill, 0.0
    if train.low[i] == train.high[i]:
        return float(train.low[i]), 0.0
    if scale == "minmax":
        return float(train.low[i]), 1.0 / float(train.high[i] - train.low[i])
    return float(train.mean[i]), 1.0 / float(train.std[i])


def _check_finite(name: str, i: int, measured: Measured) -> None:
    for sums in (measured.train, measured.test):
        if sums.count[i] == 0:
            continue
        for bound in (sums.low[i], sums.high[i]):
            if math.isinf(bound):
                raise DataError(f"column '{name}' holds {bound}; make it missing or filter it out")
        if not math.isfinite(sums.std[i]):
            raise DataError(f"column '{name}' holds numbers too large to square: {sums.high[i]}")


def _check_range(column: NumericColumn, i: int, measured: Measured) -> None:
    for sums in (measured.train, measured.test):
        bounds = [sums.low[i], sums.high[i]] if sums.count[i] else []
        for value in (*bounds, column.fill):
            scaled = (value - column.shift) * column.factor
            if not abs(scaled) <= _LARGEST:
                raise DataError(
                    f"column '{column.name}' holds {value}, which has no finite 32-bit feature; "
                    "make it missing or filter it out"
                )


def fit_categorical(name: str, kind: Kind, tally: Tally, spec: PreprocessSpec) -> CategoricalColumn:
    """The categories of one column in sorted order.

    Raises:
        DataError: there are too many, none, or missing ones where that is an error.
    """
    if len(tally) > MOST_CATEGORIES + (None in tally):
        raise DataError(
            f"categorical column '{name}' has more than {MOST_CATEGORIES} categories; drop it, "
            "make it numeric, or group its values in the sql"
        )
    if None in tally and spec.categorical.unseen == "error":
        raise DataError(
            f"categorical column '{name}' is missing in {tally[None][0]} training rows; set "
            "categorical.unseen = 'other', or fill it in the sql"
        )
    categories = sorted(_value(text, kind) for text in tally if text is not None)
    if not categories:
        raise DataError(f"categorical column '{name}' is missing in all training rows; drop it")
    return CategoricalColumn(
        name=name,
        kind=kind,
        categories=categories,
        encoding=spec.categorical.encoding,
        unseen=spec.categorical.unseen,
    )


def _value(text: str, kind: Kind) -> Any:
    """A category as it was before Spark wrote it as text."""
    if kind == "boolean":
        return text == "true"
    return {"integer": int, "float": float, "string": str}[kind](text)


def fit_classes(name: str, kind: Kind, measured: Measured) -> LabelColumn:
    """The classes of the label in sorted order.

    Raises:
        DataError: a label is missing, there are too many classes or only one, or a class tests
            that never trains; names column, class and count.
    """
    labels = measured.labels
    check_labels(name, {c: train + test for c, (train, test) in labels.items()})
    trained = sorted(c for c, (train, _) in labels.items() if train)
    if len(trained) == 1:
        raise DataError(f"label '{name}' has one class only in training: {trained[0]!r}")
    for label, (train, test) in labels.items():
        if test and not train:
            raise DataError(
                f"label '{name}': class {label!r} has {test} test rows and no training row"
            )
    return LabelColumn(name=name, kind=kind, classes=trained)


def check_labels(name: str, counts: dict[Any, int]) -> None:
    """Checks the classes before anything is fitted.

    Args:
        name: the label's column.
        counts: rows of each class; None is a missing label.

    Raises:
        DataError: as ``fit_classes``.
    """
    if missing := counts.get(None):
        raise DataError(f"label '{name}' is missing in {missing} rows; filter them in the sql")
    if len(counts) > MOST_CATEGORIES:
        raise DataError(
            f"label '{name}' has more than {MOST_CATEGORIES} classes; is it a quantity? Then "
            "label.kind = 'regression'"
        )
    if len(counts) == 1:
        raise DataError(f"label '{name}' has one class only: {next(iter(counts))!r}")


def fit_quantity(name: str, i: int, measured: Measured) -> LabelColumn:
    """The label of a regression.

    Args:
        name: the label's column.
        i: its place among the measurements.
        measured: by the statistics pass.

    Raises:
        DataError: it is missing somewhere, or not finite in 32 bits; names column and count.
    """
    splits = (measured.train, measured.test)
    if missing := int(sum(s.rows - s.count[i] for s in splits)):
        raise DataError(f"label '{name}' is missing in {missing} rows; filter them in the sql")
    for bound in (b for s in splits for b in (s.low[i], s.high[i])):
        if not abs(bound) <= _LARGEST:
            raise DataError(f"label '{name}' holds {bound}, which is not finite in 32 bits")
    return LabelColumn(name=name, kind=None, classes=None)
