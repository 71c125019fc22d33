"""Which distributed optimizer for how many workers and which window?

Trains the telescope's events (examples/data/magic04.csv) in the simulated engine with every
trainer, for several numbers of workers and communication windows, and prints the accuracy on the
test rows, in percent. Every trainer has the same local optimizer, Adam 0.004 (EAMSGD: SGD 0.05,
as it must), mini-batches of 32, the same rows, epochs and seed, and its own defaults otherwise.
Workers are equally fast but for exponential noise.

    python benchmarks/which_optimizer.py
    python benchmarks/which_optimizer.py --full
    python benchmarks/which_optimizer.py --show
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import results_file

from distkeras.engines.conditions import Conditions, Constant, Exponential
from distkeras.errors import ConfigError, TrainingDiverged
from distkeras.trainers import TRAINERS

EVENTS = Path(__file__).parent.parent / "examples" / "data" / "magic04.csv"
Rows = dict[str, np.ndarray]


def telescope(seed: int) -> tuple[Rows, Rows]:
    """Four fifths to train, one to test; features of mean 0 and deviation 1 in the training."""
    import pandas as pd

    events = pd.read_csv(EVENTS).sample(frac=1.0, random_state=seed)
    label = (events["class"] == "g").to_numpy(np.float32)
    features = events.drop(columns="class").to_numpy(np.float32)
    cut = len(events) * 4 // 5
    features = (features - features[:cut].mean(0)) / features[:cut].std(0)
    parts = slice(None, cut), slice(cut, None)
    train, test = ({"features": features[part], "label": label[part]} for part in parts)
    return train, test


def trained(name: str, workers: int, window: int, epochs: int, seed: int) -> float | None:
    """Accuracy on the test rows in percent; None if the optimizer refused or diverged."""
    import keras

    train, test = telescope(seed)
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(units, "relu") for units in (64, 32)]
    model = keras.Sequential(
        [keras.Input((train["features"].shape[1],)), *layers, keras.layers.Dense(2, "softmax")]
    )
    sgd, adam = keras.optimizers.SGD(0.05), keras.optimizers.Adam(0.004)
    cluster = {} if name == "SingleTrainer" else {"num_workers": workers}
    try:
        trainer = TRAINERS[name](
            model,
            sgd if name == "EAMSGD" else adam,
            "sparse_categorical_crossentropy",
            num_epoch=epochs,
            communication_window=window,
            seed=seed,
            **cluster,
        )
        found = trainer.simulate(train, Conditions(Exponential(1.0), delay=Constant(0.2)))
    except (ConfigError, TrainingDiverged):
        return None
    finally:
        keras.backend.clear_session()
    right = found.predict(test["features"], 4096, verbose=0).argmax(1) == test["label"]
    return round(100 * float(right.mean()), 2)


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Every trainer in every cell."""
    alone = trained("SingleTrainer", 1, 12, asked.epochs, asked.seed)
    cells: dict[str, dict[str, float | None]] = {}
    for name in sorted(set(TRAINERS) - {"SingleTrainer"}):
        for workers in asked.workers:
            for window in asked.windows:
                found = trained(name, workers, window, asked.epochs, asked.seed)
                cells.setdefault(name, {})[f"{workers}/{window}"] = found
                print(f"{name} {workers} workers, window {window}: {found}", flush=True)
    figures = {"alone": alone, "cells": cells, "epochs": asked.epochs, "seed": asked.seed}
    return figures


def show(figures: dict[str, Any]) -> None:
    """A row for each trainer, as Markdown."""
    known = [tuple(map(int, cell.split("/"))) for cell in next(iter(figures["cells"].values()))]
    columns = sorted(known)
    print("| trainer |", *(f"{workers} workers, {window} |" for workers, window in columns))
    print("|---" * (1 + len(columns)) + "|")
    for name, cells in figures["cells"].items():
        values = [cells[f"{workers}/{window}"] for workers, window in columns]
        row = ("refused |" if value is None else f"{value:.1f} |" for value in values)
        print(f"| `{name}` |", *row)
    print(f"\nOne worker alone: {figures['alone']:.1f} %")


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 8, 32])
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    short = {"workers": [2], "windows": [5]}
    show(results_file.measured_or_kept("which_optimizer", parser, short, measure))


if __name__ == "__main__":
    main()
