"""What does each codec cost in accuracy, and what does it save?

Trains the telescope's events (examples/data/magic04.csv) in the simulated engine with every codec,
for some trainers, and prints the accuracy on the test rows in percent, each beside the bytes of an
exchange. The rows, the model, the local optimizer (Adam 0.004) and the windows are the same; the
mean of some seeds, and how far they are apart.

    python benchmarks/compression.py
    python benchmarks/compression.py --full
    python benchmarks/compression.py --show
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import results_file
from which_optimizer import telescope

from distkeras.codecs import codec_of
from distkeras.engines.conditions import Conditions, Constant, Exponential
from distkeras.trainers import TRAINERS

CODECS = ("none", "bfloat16", "int8", "top-k:0.1", "top-k:0.01")


def trained(name: str, codec: str, asked: argparse.Namespace, seed: int) -> tuple[float, int]:
    """Accuracy on the test rows in percent, and weights of the model."""
    import keras

    train, test = telescope(seed)
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(units, "relu") for units in (64, 32)]
    model = keras.Sequential(
        [keras.Input((train["features"].shape[1],)), *layers, keras.layers.Dense(2, "softmax")]
    )
    trainer = TRAINERS[name](
        model,
        keras.optimizers.Adam(0.004),
        "sparse_categorical_crossentropy",
        num_epoch=asked.epochs,
        communication_window=asked.window,
        num_workers=asked.workers,
        seed=seed,
        compression=codec,
    )
    found = trainer.simulate(train, Conditions(Exponential(1.0), delay=Constant(0.2)))
    right = found.predict(test["features"], 4096, verbose=0).argmax(1) == test["label"]
    keras.backend.clear_session()
    return 100 * float(right.mean()), found.count_params()


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Every trainer with every codec."""
    cells: dict[str, dict[str, list[float]]] = {name: {} for name in asked.trainers}
    for name in asked.trainers:
        for codec in CODECS:
            runs = [trained(name, codec, asked, seed) for seed in range(asked.seeds)]
            cells[name][codec] = [round(accuracy, 2) for accuracy, _ in runs]
            weights = runs[0][1]
            print(f"{name} {codec}: {cells[name][codec]}", flush=True)
    asked_for = {key: vars(asked)[key] for key in ("workers", "window", "epochs", "seeds")}
    figures = {"cells": cells, "weights": weights, "asked": asked_for}
    return figures


def show(figures: dict[str, Any]) -> None:
    """A row for each codec, as Markdown."""
    weights, cells = figures["weights"], figures["cells"]
    print("| compression | bytes of an exchange |", *(f"`{name}` |" for name in cells))
    print("|---" * (2 + len(cells)) + "|")
    for name in CODECS:
        codec = codec_of(name)
        size = codec.length(weights) + codec.answers.length(weights)
        found = (np.array(runs[name]) for runs in cells.values())
        row = (f"{accuracy.mean():.1f} ± {accuracy.std():.1f} |" for accuracy in found)
        print(f"| `{name}` | {size:,} |", *row)
    print("\n" + ", ".join(f"{key} {value}" for key, value in figures["asked"].items()))


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = ["ADAG", "DOWNPOUR", "AEASGD", "AveragingTrainer"]
    parser.add_argument("--trainers", nargs="+", default=known, choices=sorted(TRAINERS))
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--window", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    short = {"trainers": ["ADAG", "AEASGD"], "seeds": 1}
    show(results_file.measured_or_kept("compression", parser, short, measure))


if __name__ == "__main__":
    main()
