"""Do our rules reach the published accuracies? Table 3.1 of Hermans' thesis, in simulation.

MNIST, MLP 784-1000-2000-1000-10, Adam in the workers, mini-batches of 128, 40 epochs; AGN (here
ADAG) and AEASGD for n workers and windows of lambda mini-batches. Each cell takes about ten
minutes of two cores. Cells that are in the result file already are not run again, so the
benchmark can be stopped and goes on where it was.

    python benchmarks/thesis_table.py --data path/to/mnist
    python benchmarks/thesis_table.py                        # only prints what was measured before

Source: Hermans, "On Scalable Deep Learning and Parallelizing Gradient Descent", 2017, table 3.1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import digits
import numpy as np
import results_file
from rich.console import Console
from rich.table import Table

BATCH = 128


class Cell(NamedTuple):
    """One entry of the table; ``published`` is the validation accuracy in percent."""

    rule: str
    workers: int
    window: int
    published: float

    @property
    def name(self) -> str:
        """Its key in the result file."""
        return f"{self.rule} n={self.workers} window={self.window}"


CELLS = [
    Cell("ADAG", 10, 40, 98.43),
    Cell("AEASGD", 10, 40, 98.58),
    Cell("ADAG", 20, 20, 98.47),
    Cell("AEASGD", 20, 20, 98.39),
    Cell("ADAG", 40, 20, 98.40),
    Cell("AEASGD", 40, 20, 97.83),
    Cell("ADAG", 40, 40, 98.18),
    Cell("AEASGD", 40, 40, 97.45),
]


def model(seed: int) -> Any:
    """The network of the thesis."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(units, "relu") for units in (1000, 2000, 1000)]
    return keras.Sequential([keras.Input((784,)), *layers, keras.layers.Dense(10, "softmax")])


def run(cell: Cell, data: Path, epochs: int, seed: int) -> dict[str, Any]:
    """Trains one cell; its accuracy on the 10,000 test digits, in percent, and the way there."""
    from distkeras.engines.conditions import Conditions, Constant, Exponential
    from distkeras.models import use_cores
    from distkeras.monitor import Validation
    from distkeras.trainers import TRAINERS

    use_cores(1)
    train, test = (digits.read(data, split)._asdict() for split in ("train", "t10k"))
    trainer = TRAINERS[cell.rule](
        model(seed),
        "adam",
        "sparse_categorical_crossentropy",
        features_col="x",
        label_col="y",
        batch_size=BATCH,
        num_epoch=epochs,
        num_workers=cell.workers,
        communication_window=cell.window,
        seed=seed,
    )
    # Workers that others use too, and a network that takes half a mini-batch's time one way.
    conditions = Conditions(Exponential(1.0), delay=Constant(0.5), seed=seed)
    started = time.monotonic()
    trainer.simulate(train, conditions, validation=Validation(test, every_epochs=2))
    curve = [
        {"epoch": one.epoch, "accuracy": round(100 * one.measures["val_accuracy"], 2)}
        for one in trainer.history.validations
    ]
    staleness = [record.staleness for record in trainer.history.records]
    return {
        "accuracy": curve[-1]["accuracy"],
        "curve": curve,
        "updates": trainer.num_updates(),
        "mean_staleness": round(float(np.mean(staleness)), 2),
        "minutes": round((time.monotonic() - started) / 60, 1),
    }


def known() -> dict[str, Any]:
    """The cells that were run already."""
    path = results_file.RESULTS / "thesis_table.json"
    return dict(json.loads(path.read_text())["cells"]) if path.exists() else {}


def show(cells: dict[str, Any]) -> None:
    """Ours beside theirs: the last center, and what surrounds it, as it is one draw of many."""
    numbers = ("published", "last", "difference", "last 10 epochs", "best", "staleness")
    table = Table("rule", "workers", "window", *numbers)
    for cell in CELLS:
        if cell.name in cells:
            found = cells[cell.name]
            curve = [point["accuracy"] for point in found["curve"]]
            late = curve[-5:]
            table.add_row(
                cell.rule,
                str(cell.workers),
                str(cell.window),
                f"{cell.published:.2f}",
                f"{curve[-1]:.2f}",
                f"{curve[-1] - cell.published:+.2f}",
                f"{np.mean(late):.2f} ± {np.std(late):.2f}",
                f"{max(curve):.2f}",
                f"{found['mean_staleness']:.1f}",
            )
    Console(width=110).print(table)


def plot(cells: dict[str, Any]) -> None:
    """Accuracy over the epochs, a panel for each pair of workers and window."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "distkeras"
    from matplotlib import pyplot as plt

    pairs = sorted({(cell.workers, cell.window) for cell in CELLS})
    figure, panels = plt.subplots(1, len(pairs), figsize=(13, 3.4), sharey=True, layout="tight")
    for panel, (workers, window) in zip(panels, pairs, strict=True):
        panel.set(title=f"{workers} workers, window {window}", xlabel="epoch", ylim=(94, 99))
        for cell in CELLS:
            if cell[1:3] == (workers, window) and cell.name in cells:
                curve = cells[cell.name]["curve"]
                (line,) = panel.plot(
                    [point["epoch"] for point in curve],
                    [point["accuracy"] for point in curve],
                    label=cell.rule,
                )
                panel.axhline(cell.published, color=line.get_color(), ls=":", lw=1)
        if panel.lines:
            panel.legend(loc="lower right")
    panels[0].set_ylabel("test accuracy, %  (dotted: published)")
    figure.savefig(results_file.RESULTS / "thesis_table.svg", metadata={"Date": None})


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="MNIST's IDX files; without, none is run")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.cell:
        (cell,) = (cell for cell in CELLS if cell.name == asked.cell)
        print(json.dumps(run(cell, asked.data, asked.epochs, asked.seed)))
        return
    if asked.data is not None:
        measure(asked.data, asked.epochs, asked.seed)
    show(known())


def measure(data: Path, epochs: int, seed: int) -> None:
    """Runs the cells that are not known yet, each in a process of its own, two at a time."""
    waiting = [cell for cell in CELLS if cell.name not in known()]
    running: list[tuple[Cell, subprocess.Popen[str]]] = []
    while waiting or running:
        while waiting and len(running) < 2:
            cell = waiting.pop(0)
            command = [sys.executable, __file__, "--cell", cell.name, "--data", str(data)]
            command += ["--epochs", str(epochs), "--seed", str(seed)]
            running.append((cell, subprocess.Popen(command, stdout=subprocess.PIPE, text=True)))
        time.sleep(1)
        for cell, process in [pair for pair in running if pair[1].poll() is not None]:
            running.remove((cell, process))
            said = process.communicate()[0]
            if process.returncode:
                raise SystemExit(f"{cell.name} ended with status {process.returncode}")
            cells = known() | {cell.name: json.loads(said.splitlines()[-1])}
            results_file.write("thesis_table", {"cells": cells, "epochs": epochs, "seed": seed})
            plot(cells)


if __name__ == "__main__":
    main()
