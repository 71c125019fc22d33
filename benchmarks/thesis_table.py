"""Do our rules reach the published accuracies? Table 3.1 of Hermans' thesis, in simulation.

MNIST, MLP 784-1000-2000-1000-10, Adam in the workers, mini-batches of 128, 40 epochs; AGN (here
ADAG) and AEASGD for n workers and windows of lambda mini-batches. Each cell takes about ten
minutes of two cores. Cells that are in the result file already are not run again, so the
benchmark can be stopped and goes on where it was.

    python benchmarks/thesis_table.py --data path/to/mnist
    python benchmarks/thesis_table.py --show

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

import mnist_idx
import numpy as np
import results_file
from rich.console import Console
from rich.table import Table

BATCH = 128
#: Mini-batches between two looks at the accuracy of the center: two epochs.
LOOK = 938


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


class Shard:
    """The rows of a virtual worker."""

    def __init__(self, digits: mnist_idx.Digits, worker: int, workers: int) -> None:
        self._rows = {"x0": digits.x[worker::workers], "y0": digits.y[worker::workers]}

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._rows["x0"])

    def take(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """These rows, in this order."""
        return {name: column[indices] for name, column in self._rows.items()}


def model(seed: int) -> Any:
    """The network of the thesis, compiled."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(units, "relu") for units in (1000, 2000, 1000)]
    made = keras.Sequential([keras.Input((784,)), *layers, keras.layers.Dense(10, "softmax")])
    optimizer = keras.optimizers.Adam(0.001)
    made.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def run(cell: Cell, data: Path, epochs: int, seed: int) -> dict[str, Any]:
    """Trains one cell; its accuracy on the 10,000 test digits, in percent, and the way there."""
    from distkeras import rules
    from distkeras.compilation import config_of
    from distkeras.engines.conditions import Conditions, Constant, Exponential
    from distkeras.engines.simulator import SharedReplica
    from distkeras.engines.simulated import Simulation
    from distkeras.models import use_cores
    from distkeras.replica import Replica, ReplicaSpec, travelling
    from distkeras.server import ParameterServer
    from distkeras.worker import Schedule

    use_cores(1)
    train, test = (mnist_idx.read(data, split) for split in ("train", "t10k"))
    network = model(seed)
    replica = Replica(ReplicaSpec(config_of(network), BATCH, cell.window))
    center = replica.layout.flatten([weight.numpy() for weight in travelling(network)])
    server = ParameterServer(center, rules.RULES[cell.rule](), tuple(replica.metric_names))
    shards = [Shard(train, worker, cell.workers) for worker in range(cell.workers)]
    schedule = Schedule(BATCH, cell.window, epochs, seed)
    # Workers that others use too, and a network that takes half a mini-batch's time one way.
    conditions = Conditions(Exponential(1.0), delay=Constant(0.5), seed=seed)
    shared = SharedReplica(replica, seed)
    simulation = Simulation(server, schedule, shards, shared.of, conditions)
    curve: list[dict[str, float]] = []

    def accuracy() -> float:
        arrays = replica.layout.unflatten(server.center)
        for variable, array in zip(travelling(network), arrays, strict=True):
            variable.assign(array)
        right = network.predict(test.x, 1000, verbose=0).argmax(1) == test.y
        return round(100 * float(np.mean(right)), 2)

    def look() -> None:
        if server.rows_merged >= (len(curve) + 1) * LOOK * BATCH:
            curve.append({"epoch": server.rows_merged / len(train.x), "accuracy": accuracy()})

    started = time.monotonic()
    simulation.run(look)
    assert server.rows_merged == epochs * len(train.x)
    return {
        "accuracy": accuracy(),
        "curve": curve,
        "updates": server.clock,
        "mean_staleness": round(float(np.mean([r.staleness for r in server.history])), 2),
        "minutes": round((time.monotonic() - started) / 60, 1),
    }


def known() -> dict[str, Any]:
    """The cells that were run already."""
    path = results_file.RESULTS / "thesis_table.json"
    return dict(json.loads(path.read_text())["cells"]) if path.exists() else {}


def show(cells: dict[str, Any]) -> None:
    """Ours beside theirs."""
    table = Table("rule", "workers", "window", "published", "ours", "difference", "staleness")
    for cell in CELLS:
        if cell.name in cells:
            found = cells[cell.name]
            ours = found["accuracy"]
            difference = f"{ours - cell.published:+.2f}"
            numbers = (cell.workers, cell.window, cell.published, ours, difference)
            table.add_row(cell.rule, *map(str, numbers), str(found["mean_staleness"]))
    Console().print(table)


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
        panel.legend(loc="lower right")
    panels[0].set_ylabel("test accuracy, %  (dotted: published)")
    figure.savefig(results_file.RESULTS / "thesis_table.svg", metadata={"Date": None})


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of MNIST's IDX files")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="only print what was measured before")
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.cell:
        (cell,) = (cell for cell in CELLS if cell.name == asked.cell)
        print(json.dumps(run(cell, asked.data, asked.epochs, asked.seed)))
        return
    if not asked.show:
        if asked.data is None:
            parser.error("--data is needed, the folder with train-images-idx3-ubyte and so on")
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
