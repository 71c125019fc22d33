"""Measures of a model, from counts: what an aggregation over any number of rows leaves.

Pure functions on arrays; neither Spark nor Keras.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["ClassScores", "class_scores", "macro", "roc_auc", "roc_curve", "thinned"]

ClassScores = dict[str, Any]


def class_scores(confusion: np.ndarray, names: Sequence[Any]) -> list[ClassScores]:
    """Precision, recall and F1 of every class.

    precision = hits / predicted, recall = hits / true, f1 = their harmonic mean.

    Args:
        confusion: shape (classes, classes), rows of the true class (first axis) that were
            predicted as the class of the second axis.
        names: what the classes are called.

    Returns:
        One dictionary per class: class, precision, recall, f1, support (rows of that class).
        A measure without any row to measure is None.
    """
    hits = np.diag(confusion)
    true, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    return [
        {
            "class": name,
            "precision": _ratio(hits[index], predicted[index]),
            "recall": _ratio(hits[index], true[index]),
            "f1": _ratio(2 * hits[index], true[index] + predicted[index]),
            "support": int(true[index]),
        }
        for index, name in enumerate(names)
    ]


def macro(scores: Sequence[ClassScores], measure: str) -> float | None:
    """The plain mean of a measure over the classes that have it; None if none has.

    Args:
        scores: from ``class_scores``.
        measure: e.g. ``"f1"``.
    """
    known = [score[measure] for score in scores if score.get(measure) is not None]
    return float(np.mean(known)) if known else None


def roc_curve(positives: np.ndarray, negatives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The receiver operating characteristic, from the highest threshold to the lowest.

    Args:
        positives: shape (scores,), rows of the class at each score, scores ascending.
        negatives: the same for rows of other classes.

    Returns:
        False positive rate and true positive rate, both from 0 to 1, one point more than scores.
    """
    true = np.concatenate([[0], np.cumsum(positives[::-1])])
    false = np.concatenate([[0], np.cumsum(negatives[::-1])])
    return false / max(false[-1], 1), true / max(true[-1], 1)


def roc_auc(positives: np.ndarray, negatives: np.ndarray) -> float | None:
    """The area under the ROC curve; rows of equal score count one half.

    Args:
        positives: see ``roc_curve``.
        negatives: see ``roc_curve``.

    Returns:
        0 to 1; None where one of the two kinds has no row.
    """
    if not positives.sum() or not negatives.sum():
        return None
    false, true = roc_curve(positives, negatives)
    return float(np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2))


def thinned(x: np.ndarray, y: np.ndarray, points: int = 200) -> tuple[list[float], list[float]]:
    """At most ``points`` points of a rising curve, evenly along its length, ends included.

    Args:
        x: rising from 0 to 1.
        y: the same.
        points: how many may stay, at least 2.
    """
    length = x + y
    chosen = np.searchsorted(length, np.linspace(length[0], length[-1], points))
    chosen = np.unique(np.concatenate([[0], np.minimum(chosen, len(x) - 1), [len(x) - 1]]))
    return [round(float(value), 6) for value in x[chosen]], [
        round(float(value), 6) for value in y[chosen]
    ]


def _ratio(part: Any, whole: Any) -> float | None:
    return float(part / whole) if whole else None
