"""How good predictions are, measured where they lie: one Spark aggregation, only counts collected.

``evaluate_predictions`` measures classifiers and regressions, ``AccuracyEvaluator`` gives one
number. Both take what ``ModelPredictor`` appended.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from distkeras.aggregates import ROWS, WRONG, bins, class_counts, class_index, regression_sums
from distkeras.columns import require_column
from distkeras.errors import ConfigError, DataError
from distkeras.scores import class_scores, macro, roc_auc, roc_curve, thinned
from distkeras.worker_errors import unwrapped

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["AccuracyEvaluator", "evaluate_predictions"]


def evaluate_predictions(
    dataframe: DataFrame,
    label_col: str = "label",
    prediction_col: str = "prediction",
    kind: str = "classes",
    classes: Sequence[Any] | None = None,
    loss_col: str | None = None,
) -> dict[str, Any]:
    """Measures predictions in one Spark job, on any number of rows.

    Predictions of classes are probabilities: the output of a softmax, or of one sigmoid, which
    stands for the second class. Logits are refused.

    Args:
        dataframe: with the label and prediction columns.
        label_col: class numbers from 0 or one-hot arrays; numbers or arrays of one for a
            regression.
        prediction_col: arrays as ``ModelPredictor`` appends them; for a regression also numbers.
        kind: ``"classes"`` or ``"regression"``.
        classes: what the classes are called, in the order of their numbers; default 0, 1, ...
        loss_col: the column that ``ModelPredictor(loss_col=...)`` appended: its mean is what
            ``model.evaluate`` gives. None: no loss. (From the probabilities alone it could not be
            computed: Keras uses the logits before them, and some losses ask for more.)

    Returns:
        What JSON can hold, None for what cannot be measured. For both kinds: kind, rows, loss.
        For classes: accuracy, log_loss, classes, confusion (lists of rows by true class, in each
        by predicted class), per_class (class, precision, recall, f1, support, roc_auc), macro
        (the plain means of these), roc_auc (of two classes that of the second, of more the plain
        mean of each against the rest; scores are binned to 1e-5, or to more than that for above
        20 classes), roc (two classes: at most 200 points false_positive_rate and
        true_positive_rate), most_frequent (the share of the most frequent class).
        For a regression: rmse, mae, r2, error_quantiles (prediction - label, 0 %, 1 %, ... 100 %).

    Raises:
        ConfigError: a column is missing, or an argument cannot work.
        DataError: no rows, or labels or predictions that cannot be measured.
    """
    require_column(dataframe, label_col, "label_col")
    require_column(dataframe, prediction_col, "prediction_col")
    if loss_col is not None:
        require_column(dataframe, loss_col, "loss_col")
    if kind == "classes":
        with unwrapped():
            counts = class_counts(dataframe, label_col, prediction_col, loss_col)
        return _classes(counts, classes, label_col, prediction_col)
    if kind == "regression":
        with unwrapped():
            sums = regression_sums(dataframe, label_col, prediction_col, loss_col)
        return _regression(sums, label_col, prediction_col)
    raise ConfigError(f"kind must be 'classes' or 'regression', not {kind!r}")


class AccuracyEvaluator:
    """The share of rows whose prediction is their label.

    Example:
        ``AccuracyEvaluator().evaluate(ModelPredictor(model).predict(frame))``

    Args:
        label_col: class numbers, or one-hot arrays.
        prediction_col: class numbers, or arrays as ``ModelPredictor`` appends them.
    """

    def __init__(self, label_col: str = "label", prediction_col: str = "prediction") -> None:
        self.label_col = label_col
        self.prediction_col = prediction_col

    def evaluate(self, dataframe: DataFrame) -> float:
        """The accuracy, from 0 to 1.

        Args:
            dataframe: with the label and prediction columns.

        Raises:
            ConfigError: a column is missing.
            DataError: no rows, or a label or prediction that is no class.
        """
        from pyspark.sql import functions as f

        require_column(dataframe, self.label_col, "label_col")
        require_column(dataframe, self.prediction_col, "prediction_col")
        both = dataframe.select(
            class_index(dataframe, self.label_col).alias("y"),
            class_index(dataframe, self.prediction_col).alias("p"),
        )
        unfit = "coalesce({0} % 1 <> 0 OR {0} < 0, true)"
        with unwrapped():
            found = both.agg(
                f.avg(f.expr("cast(y = p AS int)")),
                f.count_if(f.expr(unfit.format("y"))),
                f.count_if(f.expr(unfit.format("p"))),
            ).first()
        accuracy, labels, predictions = found or (None, 0, 0)
        for column, bad in ((self.label_col, labels), (self.prediction_col, predictions)):
            if bad:
                raise DataError(f"column {column!r}: {_rows(bad)} no class number (0, 1, ...)")
        if accuracy is None:
            raise DataError("there are no rows to evaluate")
        return float(accuracy)


def _classes(
    counts: pa.Table, classes: Sequence[Any] | None, label_col: str, prediction_col: str
) -> dict[str, Any]:
    if not counts.num_rows:
        raise DataError("there are no rows to evaluate")
    column = {name: counts[name].to_numpy() for name in counts.column_names}
    column["example"] = np.array(counts["example"].to_pylist(), object)
    size = _class_number(column, classes, prediction_col)
    _check_useful(column, size, label_col, prediction_col)
    names = list(range(size)) if classes is None else list(classes)
    row = column["kind"] == ROWS
    confusion = np.zeros((size, size), np.int64)
    confusion[column["a"][row], column["b"][row]] = column["n"][row]
    rows = int(confusion.sum())
    per_class = class_scores(confusion, names)
    return {
        "kind": "classes",
        "rows": rows,
        "accuracy": float(np.trace(confusion) / rows),
        "loss": _finite(column["loss"][row].sum() / rows),
        "log_loss": _finite(column["log_loss"][row].sum() / rows),
        "most_frequent": float(confusion.sum(axis=1).max() / rows),
        "classes": names,
        "confusion": confusion.tolist(),
        "per_class": per_class,
        **_ranking(column, size, per_class),
        "macro": {measure: macro(per_class, measure) for measure in ("precision", "recall", "f1")},
    }


def _class_number(
    column: dict[str, np.ndarray], classes: Sequence[Any] | None, prediction_col: str
) -> int:
    useful = column["kind"] != WRONG
    if not useful.any():
        return 2 if classes is None else len(classes)
    low, high = int(column["low"][useful].min()), int(column["high"][useful].max())
    if low != high:
        raise DataError(
            f"column {prediction_col!r} holds {low} scores in some rows, {high} in others"
        )
    if classes is not None and len(classes) != high:
        raise ConfigError(f"classes: {len(classes)} names for predictions of {high} classes")
    return high


def _check_useful(
    column: dict[str, np.ndarray], size: int, label_col: str, prediction_col: str
) -> None:
    wrong = column["kind"] == WRONG
    for reason, name, needed in (
        (1, prediction_col, "no probabilities from 0 to 1 (end the model in softmax or sigmoid)"),
        (0, label_col, f"no class of a model with {size} classes (0 to {size - 1})"),
    ):
        here = wrong & (column["a"] == reason)
        if here.any():
            bad, example = int(column["n"][here].sum()), column["example"][here][0]
            shown = "null" if example is None else f"{example:g}"
            raise DataError(f"column {name!r}: {_rows(bad)} {needed}, e.g. {shown}")


def _rows(number: int) -> str:
    return "1 row holds" if number == 1 else f"{number:,} rows hold"


def _ranking(
    column: dict[str, np.ndarray], size: int, per_class: list[dict[str, Any]]
) -> dict[str, Any]:
    """The ROC measures; adds its own to every class."""
    if size == 2:
        negatives, positives = _histogram(column, 1, size)
        area = roc_auc(positives, negatives)
        for scores in per_class:
            scores["roc_auc"] = area
        if area is None:
            return {"roc_auc": None, "roc": None}
        false, true = thinned(*roc_curve(positives, negatives))
        return {
            "roc_auc": area,
            "roc": {"false_positive_rate": false, "true_positive_rate": true},
        }
    for number, scores in enumerate(per_class):
        negatives, positives = _histogram(column, number, size)
        scores["roc_auc"] = roc_auc(positives, negatives)
    return {"roc_auc": macro(per_class, "roc_auc"), "roc": None}


def _histogram(
    column: dict[str, np.ndarray], number: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of other classes and of this one, by ascending score for this one."""
    here = column["kind"] == number
    result = np.zeros((2, bins(size) + 1), np.int64)
    np.add.at(result, (column["b"][here], column["a"][here]), column["n"][here])
    return result[0], result[1]


def _regression(sums: dict[str, Any], label_col: str, prediction_col: str) -> dict[str, Any]:
    if not sums["rows"]:
        raise DataError("there are no rows to evaluate")
    if sums["wrong"]:
        raise DataError(
            f"columns {label_col!r} and {prediction_col!r}: {_rows(sums['wrong'])} "
            "not one finite number in both"
        )
    variance = sums["variance"]
    return {
        "kind": "regression",
        "rows": sums["rows"],
        "loss": _finite(sums["loss"]),
        "rmse": math.sqrt(sums["square"]),
        "mae": sums["absolute"],
        "r2": 1 - sums["square"] / variance if variance else None,
        "error_quantiles": sums["error_quantiles"],
    }


def _finite(value: Any) -> float | None:
    """A number that JSON can hold; None for a null, NaN or infinity."""
    return float(value) if value is not None and math.isfinite(value) else None
