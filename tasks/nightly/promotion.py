"""Whether the new model shall serve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from tasks.nightly.spec import MEASURES

__all__ = ["Decision", "baseline", "decide", "scores"]


class Decision(NamedTuple):
    """What becomes of a new model.

    Attributes:
        promote: whether it shall serve.
        why: one line.
    """

    promote: bool
    why: str


def decide(
    new: Mapping[str, Any], serving: Mapping[str, Any] | None, measure: str, tolerance: float = 0.0
) -> Decision:
    """Whether the new model is not worse than the one that serves, on the same rows.

    Args:
        new: its measures, as ``evaluate_predictions`` gives them.
        serving: those of the serving model; None if none serves.
        measure: which of them decides.
        tolerance: by how much the new model may be worse.
    """
    ours = _known(new.get(measure))
    if ours is None:
        return Decision(False, f"the new model's {measure} cannot be measured on this day")
    if serving is None:
        return Decision(True, f"{measure} {ours:.4f}; it is the first")
    theirs = _known(serving.get(measure))
    if theirs is None:
        return Decision(True, f"{measure} {ours:.4f}; the serving model's cannot be measured")
    gain = (ours - theirs) * (1 if MEASURES[measure] else -1)
    against = f"{measure} {ours:.4f}, the serving model has {theirs:.4f}"
    if gain >= -tolerance:
        allowed = f" ({tolerance:g} worse is allowed)" if gain < 0 else ""
        return Decision(True, f"not worse: {against}{allowed}")
    return Decision(False, f"worse by {-gain:.4f}: {against}")


def scores(
    found: Mapping[str, Mapping[str, Any]], manifest: Mapping[str, Any], measure: str
) -> dict[str, float | None]:
    """One measure of the new model, the serving one and the baseline; None where it is not known.

    Args:
        found: the measures of each model, by name.
        manifest: of the preprocessing.
        measure: which.
    """
    models = {name: _known(found.get(name, {}).get(measure)) for name in ("new", "serving")}
    return models | {"baseline": baseline(manifest, measure)}


def baseline(manifest: Mapping[str, Any], measure: str) -> float | None:
    """What one reaches on the test split by always giving the training's best single answer.

    Args:
        manifest: of the preprocessing.
        measure: accuracy: of the most frequent class; roc_auc: of any one answer; rmse: of the
            mean. Others: None.
    """
    balance = manifest["label"].get("balance")
    if measure == "accuracy" and balance:
        most = max(balance, key=lambda one: (one["train"], str(one["class"])))
        return float(most["test_share"])
    if measure == "roc_auc" and balance:
        return 0.5
    if measure == "rmse" and not balance:
        both = manifest["columns"][manifest["label"]["column"]]
        test, train = both["test"], both["train"]
        if None in (test["std"], test["mean"], train["mean"]):
            return None
        return math.hypot(test["std"], test["mean"] - train["mean"])
    return None


def _known(value: Any) -> float | None:
    fine = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if fine else None
