"""What ``manifest.json`` says about a preprocessing: plain values, derived on the driver."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from distkeras.preprocessing.measure import Measured, Sums, Tally
from distkeras.preprocessing.preprocessor import (
    OTHER,
    CategoricalColumn,
    NumericColumn,
    Preprocessor,
)

__all__ = ["category_statistics", "class_balance", "notes", "statistics"]

Statistics = dict[str, Any]


def statistics(
    columns: Sequence[str], measured: Measured, fitted: Mapping[str, NumericColumn] | None
) -> dict[str, dict[str, Statistics]]:
    """Count, missing, mean, standard deviation, minimum and maximum, by column and split.

    The numbers after scaling are not measured again: filling and scaling are affine, so they
    follow from those before. ``write_splits`` confirms their extremes on what was written.

    Args:
        columns: in the order of the measurements.
        measured: by the statistics pass.
        fitted: the columns, for the features that they became; None for the raw numbers.
    """
    result = {}
    for i, name in enumerate(columns):
        column = fitted[name] if fitted is not None else None
        result[name] = {
            "train": _one(measured.train, i, column),
            "test": _one(measured.test, i, column),
        }
    return result


def _one(sums: Sums, i: int, column: NumericColumn | None) -> Statistics:
    count, missing = int(sums.count[i]), int(sums.rows - sums.count[i])
    mean, std, low, high = (float(a[i]) for a in (sums.mean, sums.std, sums.low, sums.high))
    if column is not None and missing:
        mean, std, low, high = _filled(count, missing, (mean, std, low, high), column.fill)
    if column is not None:
        mean, low, high = ((v - column.shift) * column.factor for v in (mean, low, high))
        std, count, missing = std * column.factor, sums.rows, 0
    values = {"mean": mean, "std": std, "min": low, "max": high}
    known = {key: value if math.isfinite(value) else None for key, value in values.items()}
    return {"count": count, "missing": missing, **known}


def _filled(
    count: int, missing: int, moments: tuple[float, float, float, float], fill: float
) -> tuple[float, float, float, float]:
    """Mean, standard deviation, minimum and maximum once ``missing`` fills are added."""
    mean, std, low, high = moments
    if count == 0:
        return fill, 0.0, fill, fill
    both = count + missing
    center = mean + (fill - mean) * (missing / both)
    spread = count * (std**2 + (mean - center) ** 2) + missing * (fill - center) ** 2
    return center, math.sqrt(spread / both), min(low, fill), max(high, fill)


def category_statistics(
    fitted: CategoricalColumn, tally: Tally, measured: Measured
) -> dict[str, Any]:
    """How many training and test rows each category has, the missing and the unseen ones too."""
    # A boolean was counted as Spark writes it.
    keys = [str(c).lower() if fitted.kind == "boolean" else str(c) for c in fitted.categories]
    counts = [tally.get(key, (0, 0)) for key in keys]
    missing = tally.get(None, (0, 0))
    test_rest = measured.test.rows - sum(test for _, test in counts)
    return {
        "categories": [
            {"category": category, "train": train, "test": test}
            for category, (train, test) in zip(fitted.categories, counts, strict=True)
        ],
        OTHER: {"train": missing[0], "test": test_rest},
        "encoding": fitted.encoding,
    }


def class_balance(fitted: Preprocessor, measured: Measured) -> list[dict[str, Any]] | None:
    """Rows and share of each class in both splits; None for regression."""
    if fitted.classes is None:
        return None
    return [
        {
            "class": label,
            "train": measured.labels[label][0],
            "test": measured.labels[label][1],
            "train_share": measured.labels[label][0] / measured.train.rows,
            "test_share": measured.labels[label][1] / measured.test.rows,
        }
        for label in fitted.classes
    ]


def notes(fitted: Preprocessor, measured: Measured) -> list[str]:
    """What a person should know before trusting the features."""
    said = []
    for i, column in enumerate(fitted.numeric):
        if column.factor == 0 and measured.train.count[i] == 0:
            said.append(f"column '{column.name}' is missing in all of training: scaled to 0")
        elif column.factor == 0:
            low = measured.train.low[i]
            said.append(f"column '{column.name}' is constant in training ({low}): scaled to 0")
    return said
