"""How fast are others at the same work, and do they learn as much?

Ten epochs of the MLP 30-600-600-2 on the synthetic task with Adagrad and mini-batches of 32, by two
workers on two cores: this library inside Spark, elephas inside Spark (synchronous and asynchronous,
exchanging once an epoch), and PyTorch's DistributedDataParallel on gloo. "seconds" are those of the
whole call, from its start to the trained model, in processes that have yet to import what they
need; Spark has been started before. "steady" is without the start: ours from the first merged
window to the last, PyTorch's from the end of its first epoch.

The others are installed from PyPI into environments of their own below a folder, some GB, which is
used again if it is there.

    python benchmarks/peers.py --environments FOLDER
    python benchmarks/peers.py --environments FOLDER --full
    python benchmarks/peers.py                                # prints what was measured before
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import compared
import numpy as np
import results_file
import workloads
from compared import Run
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent / "others"
PACKAGES = {
    "elephas": ("elephas==7.3.0", "tensorflow==2.19.1", "keras==3.12.4", "pyspark==4.0.0"),
    "torch": ("torch==2.15.0", "numpy"),
}


def environment(folder: Path, name: str) -> Path:
    """The Python of an environment, which is made if it is not there."""
    place, python = folder / name, folder / name / "bin" / "python"
    if not (place / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", *PACKAGES[name]], check=True
        )
        (place / "ready").touch()
    return python


class Peers:
    """Runs the scripts of others."""

    def __init__(self, folder: Path) -> None:
        self._pythons = {name: environment(folder, name) for name in PACKAGES}
        self.versions: dict[str, dict[str, str]] = {}

    def run(self, name: str, *arguments: Any) -> Run:
        """What a script measured."""
        command = [str(self._pythons[name]), str(HERE / f"{name}_run.py"), *map(str, arguments)]
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYSPARK"))}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=plain)
        told = json.loads(done.stdout.splitlines()[-1])
        self.versions[name] = told["versions"]
        run: Run = told["run"]
        return run


def ours(trainer: str, path: str, count: int, epochs: int, rate: float) -> Run:
    """This library in a new Spark session, whose Python workers have imported nothing."""
    with compared.spark() as session:
        frame = session.read.parquet(path)
        frame.count()
        return workloads.train(trainer, "mlp", count, frame, num_epoch=epochs, rate=rate)


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """All of them in turn."""
    count = asked.rows or (225_000 if asked.full else 20_000)
    epochs = asked.epochs or (10 if asked.full else 3)
    peers, there = Peers(asked.environments), workloads.rows("mlp", count)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rows.npz")
        np.savez(file, **there._asdict())
        path = compared.write_rows(Path(folder, "rows"), there.x, there.y)
        rest = epochs, asked.rate
        kinds: dict[str, Callable[[], Run]] = {
            f"ours, {asked.trainer}": partial(ours, asked.trainer, path, count, *rest),
            "elephas, synchronous": partial(peers.run, "elephas", file, "synchronous", *rest),
            "elephas, asynchronous": partial(peers.run, "elephas", file, "asynchronous", *rest),
            "PyTorch DDP": partial(peers.run, "torch", file, *rest),
        }
        runs = compared.in_turn(kinds, asked.rounds)
    task = {"rows": count, "epochs": epochs, "rate": asked.rate}
    return {**task, "runs": runs, "versions of others": peers.versions}


def table_of(figures: dict[str, Any]) -> Table:
    """A line for each; how many times as fast ours are, by the whole call and in steady state."""
    runs, samples = figures["runs"], figures["rows"] * figures["epochs"]
    mine = next(iter(runs.values()))
    table = Table("", "seconds", "samples/s", "ours", "steady", "ours", "accuracy")
    for kind, found in runs.items():
        seconds = compared.median(found, "seconds")
        cells = [f"{seconds:.1f}", f"{samples / seconds:,.0f}"]
        cells.append(f"{compared.ratio(found, mine, 'seconds'):.2f} x")
        steady = ["", ""]
        if "samples_per_second" in found[0]:
            rate = compared.median(found, "samples_per_second")
            steady = [f"{rate:,.0f}", f"{compared.ratio(mine, found, 'samples_per_second'):.2f} x"]
        table.add_row(kind, *cells, *steady, f"{compared.median(found, 'accuracy'):.4f}")
    return table


def main() -> None:
    """Runs the benchmark."""
    parser = compared.options(__doc__)
    parser.add_argument("--environments", type=Path, help="where the others are installed")
    parser.add_argument("--trainer", default="DOWNPOUR", help="of ours")
    parser.add_argument("--rate", type=float, default=0.03, help="Adagrad's learning rate")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--epochs", type=int)
    asked = parser.parse_args()
    known = results_file.RESULTS / "peers.json"
    if asked.environments is not None:
        figures = measure(asked)
        compared.shown(table_of(figures), "peers", asked.full, figures)
    elif known.exists():
        Console(width=110).print(table_of(json.loads(known.read_text())))
    else:
        print("nothing was measured yet: name a folder with --environments")


if __name__ == "__main__":
    main()
