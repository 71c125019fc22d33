"""Several trainings in numbers, one row each, and which is best at what: arithmetic only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from distkeras.report.curves import course
from distkeras.stopping import better

__all__ = [
    "BETTER",
    "Competitor",
    "Rows",
    "Target",
    "best",
    "known",
    "measured",
    "ranked_by",
    "same_loss",
]

#: A measure of the training, and how good it shall become.
Target = tuple[str, float]
#: From ``measured``, one for each variant.
Rows = Sequence[Mapping[str, float | None]]
#: What is measured, and where there is a better side, which. In the order of the table.
BETTER: dict[str, str | None] = {
    "accuracy": "max",
    "roc_auc": "max",
    "rmse": "min",
    "r2": "max",
    "loss": "min",
    "seconds_to_target": "min",
    "seconds": "min",
    "samples_per_second": "max",
    "exchange_wait": "min",
    "updates": None,
    "staleness": "min",
}


#: Of a simulation, virtual: they say nothing of how long it took.
_TIMES = ("seconds_to_target", "seconds", "samples_per_second", "exchange_wait")


@dataclass(frozen=True)
class Competitor:
    """One variant of an experiment.

    Attributes:
        name: what the reader calls it.
        overrides: what sets it apart, ``"a.b=value"`` each.
        metrics: from ``evaluate_predictions``; empty where it failed.
        history: as ``History.to_arrow`` gives it; None where it failed.
        trained: the manifest of its training.
        failed: why there is nothing of it; empty where there is.
        stopped: why its training was ended before its end, so that there is no model; likewise.
        report: the address of its own report, as seen from the comparison; empty for none.
    """

    name: str
    overrides: Sequence[str] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    history: pa.Table | None = None
    trained: Mapping[str, Any] = field(default_factory=dict)
    failed: str = ""
    report: str = ""
    stopped: str = ""

    @property
    def there(self) -> bool:
        """Whether there are numbers of it."""
        return not (self.failed or self.stopped)

    @property
    def simulated(self) -> Mapping[str, Any]:
        """What its virtual workers cost, and on which training that was measured; else empty."""
        return self.trained.get("simulated") or {}


def measured(one: Competitor, target: Target | None) -> dict[str, float | None]:
    """A row of the table: a number for each of ``BETTER``, None for what is not there.

    ``seconds`` is from the first merged window to the last, ``exchange_wait`` the seconds that a
    worker stood still on average, ``staleness`` the mean number of updates that a window was
    trained without; the measures of the model are those of the test split.
    """
    found: dict[str, float | None] = dict.fromkeys(BETTER)
    for name in ("accuracy", "rmse", "r2", "loss"):
        found[name] = one.metrics.get(name)
    found["roc_auc"] = one.metrics.get("roc_auc") if one.metrics.get("roc") else None
    if one.history is not None and one.history.num_rows:
        found |= _trained(one.history)
        found["seconds_to_target"] = _reached(one.history, target)
    return found


def best(rows: Rows, loss: bool = True, simulated: Sequence[bool] = ()) -> dict[str, list[int]]:
    """The numbers of the rows that are best in a column; none in one where all are alike.

    Args:
        rows: from ``measured``.
        loss: whether the losses are of one kind.
        simulated: of each row, whether its times are virtual: then they do not compete with others.
    """
    virtual = simulated if not all(simulated) else [False] * len(rows)
    found: dict[str, list[int]] = {}
    for name, mode in BETTER.items():
        out = [name in _TIMES and each for each in virtual]
        values = [None if no else row[name] for row, no in zip(rows, out, strict=True)]
        fine = [value for value in values if value is not None and math.isfinite(value)]
        if mode is None or len(set(fine)) < 2 or (name == "loss" and not loss):
            continue
        top = max(fine) if mode == "max" else min(fine)
        found[name] = [number for number, value in enumerate(values) if value == top]
    return found


def same_loss(competitors: Sequence[Competitor]) -> bool:
    """Whether all have minimized the same loss, so that their losses can be compared."""
    configs = (one.trained.get("config") or {} for one in competitors if one.there)
    return len({config.get("loss") for config in configs}) < 2


def ranked_by(rows: Rows) -> str:
    """The measure by which variants are ranked."""
    return next((key for key in ("accuracy", "rmse") if known(rows, key)), "loss")


def known(rows: Rows, key: str) -> bool:
    """Whether any row has this measure."""
    return any(row[key] is not None for row in rows)


def _trained(history: pa.Table) -> dict[str, float | None]:
    rows, times = history["samples"].to_numpy(), np.sort(history["timestamp"].to_numpy())
    first = rows[np.argmin(history["timestamp"].to_numpy())]
    seconds = float(times[-1] - times[0])
    workers = len(np.unique(history["worker"].to_numpy()))
    return {
        "seconds": seconds,
        # What the first window took is not known, so its rows do not count either.
        "samples_per_second": float(rows.sum() - first) / seconds if seconds > 0 else None,
        "exchange_wait": float(np.nansum(history["exchange_wait"].to_numpy())) / workers,
        "updates": history.num_rows,
        "staleness": float(np.mean(history["staleness"].to_numpy())),
    }


def _reached(history: pa.Table, target: Target | None) -> float | None:
    """Seconds until the mean over a sixtieth of the training was as good; None if it never was."""
    went = course(history, target[0]) if target else None
    if target is None or went is None:
        return None
    name, value = target
    for seconds, found in zip(went.seconds, went.values, strict=True):
        if not better(name, value, float(found)):
            return float(seconds)
    return None
