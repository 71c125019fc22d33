"""How long until the center is as good as it has to be?

Seconds from the call of ``train`` until the center has the target accuracy on the test rows, and
the same of ``model.fit``, each with its best learning rate. The full form tries rules and rates
once each, and then runs the best of ours and the best of ``model.fit`` in turn. Every training of
ours has a new Spark session, so that its Python workers import Keras and compile; ``model.fit``
has Keras imported. What looking at the test rows takes does not count for ``model.fit``; ours
pays for it, as the driver looks while the workers train on the same cores.

    python benchmarks/time_to_accuracy.py
    python benchmarks/time_to_accuracy.py --full
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import compared
import workloads
from compared import Run
from rich.table import Table

#: Looks at the test rows in an epoch; mini-batches of an epoch must be a multiple of it.
LOOKS = 25
#: Epochs after which a training is given up.
MOST = 3
#: ADAG divides a window's steps by their number: its rates are larger.
RATES: dict[str, tuple[float, ...]] = {
    "model.fit": (0.01, 0.03, 0.1),
    "DOWNPOUR": (0.01, 0.03, 0.1),
    "ADAG": (0.1, 0.3, 1.0),
    "DynSGD": (0.01, 0.03, 0.1),
    "AEASGD": (0.03, 0.1),
    "AveragingTrainer": (0.03, 0.1),
}
Choice = tuple[str, float]
#: Compared by the short form, which tries nothing.
FIT: Choice = ("model.fit", 0.03)
OURS: Choice = ("DOWNPOUR", 0.03)


def fit(rate: float, count: int, target: float) -> Run:
    """``model.fit``: the first mini-batch alone, which is its start-up, and then the rest."""
    import keras

    model, there = workloads.compiled("mlp", rate), workloads.rows("mlp", count)

    class Looks(keras.callbacks.Callback):  # type: ignore[misc]
        """Stops at the target, and counts the seconds of looking."""

        seconds, at = 0.0, inf

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            at = time.perf_counter()
            right = self.model.predict(there.x_test, 4096, verbose=0).argmax(1) == there.y_test
            if right.mean() >= target:
                self.at, self.model.stop_training = at - self.seconds, True
            self.seconds += time.perf_counter() - at

    looks, began = Looks(), time.perf_counter()
    model.fit(there.x[: workloads.BATCH], there.y[: workloads.BATCH], verbose=0)
    started = time.perf_counter()
    steps = count // workloads.BATCH // LOOKS
    arguments = {"epochs": MOST * LOOKS, "steps_per_epoch": steps, "verbose": 0}
    model.fit(there.x, there.y, callbacks=[looks], **arguments)
    return {"seconds": looks.at - began, "without start-up": looks.at - started}


def train(trainer: str, rate: float, path: str, count: int, target: float) -> Run:
    """Ours, in a new Spark session."""
    import keras

    from distkeras.monitor import Validation
    from distkeras.stopping import TargetMetric
    from distkeras.trainers import TRAINERS

    there = workloads.rows("mlp", count)
    test = {"features": there.x_test, "label": there.y_test}
    ours = TRAINERS[trainer](
        workloads.model("mlp"),
        keras.optimizers.Adagrad(rate),
        workloads.LOSS,
        batch_size=workloads.BATCH,
        num_workers=2,
        num_epoch=MOST,
        communication_window=workloads.WINDOW,
    )
    with compared.spark() as session:
        frame = session.read.parquet(path)
        frame.count()
        began = time.time()
        ours.train(
            frame,
            validation=Validation(test, every_epochs=1 / LOOKS),
            stop=[TargetMetric("val_accuracy", target)],
        )
    good = (v for v in ours.history.validations if v.measures["val_accuracy"] >= target)
    reached = min((validated.timestamp for validated in good), default=inf)
    first = ours.history.records[0].timestamp
    return {"seconds": reached - began, "without start-up": reached - first}


class Candidates:
    """Runs one of ours or ``model.fit`` with a rate."""

    def __init__(self, apart: compared.Apart, path: str, count: int, target: float) -> None:
        self._fit = partial(apart, fit)
        self._path = path
        self._goal = count, target

    def __call__(self, name: str, rate: float) -> Run:
        if name == "model.fit":
            found: Run = self._fit(rate, *self._goal)
            return found
        return train(name, rate, self._path, *self._goal)

    def best(self, rates: dict[str, tuple[float, ...]]) -> tuple[Choice, Choice, dict[str, Run]]:
        """The quickest of ours, the quickest ``model.fit``, and all that were tried."""
        tried = {}
        for name, several in rates.items():
            for rate in several:
                tried[name, rate] = self(name, rate)
                print(f"{name} {rate:g}: {tried[name, rate]}", flush=True)
        order = sorted(tried, key=lambda one: tried[one]["seconds"])
        ours = next(one for one in order if one[0] != "model.fit")
        other = next(one for one in order if one[0] == "model.fit")
        return ours, other, {f"{name} {rate:g}": run for (name, rate), run in tried.items()}


def main() -> None:
    """Runs the benchmark."""
    parser = compared.options(__doc__)
    parser.add_argument("--rows", type=int, help="to train on; a multiple of 800")
    parser.add_argument("--target", type=float, help="accuracy; 0.926 is the best possible")
    asked = parser.parse_args()
    count = asked.rows or (1_000_000 if asked.full else 100_000)
    target = asked.target or (0.92 if asked.full else 0.85)
    with compared.Apart() as apart, tempfile.TemporaryDirectory() as folder:
        there = workloads.rows("mlp", count)
        path = compared.write_rows(Path(folder, "rows"), there.x, there.y)
        run = Candidates(apart, path, count, target)
        tried: dict[str, Run] = {}
        ours, other = OURS, FIT
        if asked.full:
            ours, other, tried = run.best(RATES)
        kinds = {f"{name} {rate:g}": partial(run, name, rate) for name, rate in (other, ours)}
        runs = compared.in_turn(kinds, asked.rounds)
    table = Table("", "seconds", "without start-up", title=f"{count:,} rows to {target:g}")
    fits, quick = runs.values()
    ratios = {what: compared.ratio(fits, quick, what) for what in fits[0]}
    for kind, several in runs.items():
        table.add_row(kind, *(f"{compared.median(several, what):.1f}" for what in ratios))
    table.add_row("times as fast", *(f"{value:.2f}" for value in ratios.values()))
    figures = {"rows": count, "target": target, "tried": tried, "runs": runs, "ratios": ratios}
    compared.shown(table, "time_to_accuracy", asked.full, figures)


if __name__ == "__main__":
    main()
