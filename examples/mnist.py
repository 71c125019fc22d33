"""A convolutional network on handwritten digits, trained by two workers without Spark.

    python examples/mnist.py --data path/to/mnist

The folder has the four IDX files of LeCun et al. (train-images-idx3-ubyte and so on), packed by
gzip or not. The workers are processes of this machine, each with its half of the digits; of those
that test, 98.9 % are right after four epochs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_idx import read

from distkeras.errors import DistkerasError
from distkeras.progress_lines import describe
from distkeras.trainers import DOWNPOUR


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="FOLDER", help="with the IDX files")
    add("--workers", type=int, default=2, help="processes (%(default)s)")
    add("--epochs", type=int, default=4, help="passes over the digits (%(default)s)")
    add("--learning-rate", type=float, default=0.001, help="of Adam (%(default)s)")
    add("--batch-size", type=int, default=64, help="digits in a step (%(default)s)")
    return parser.parse_args(arguments)


def convnet() -> Any:
    """Two convolutions and two dense layers: 52,000 weights."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, "relu"),
            layers.Dense(10, "softmax"),
        ]
    )


def run(asked: argparse.Namespace) -> tuple[float, dict[str, Any]]:
    """Trains; returns the accuracy on the test digits, 0 to 1, and the trainer's report."""
    train, test = read(asked.data, "train"), read(asked.data, "t10k")
    trainer = DOWNPOUR(
        convnet(),
        "adam",
        "sparse_categorical_crossentropy",
        num_workers=asked.workers,
        num_epoch=asked.epochs,
        batch_size=asked.batch_size,
        learning_rate=asked.learning_rate,
    )
    if sys.stderr.isatty():
        trainer.on_progress = lambda now: print(f"\r{describe(now):70}", end="", file=sys.stderr)
    # A row of 784 numbers becomes what the model takes, 28 rows of 28.
    trained = trainer.train({"features": train.x, "label": train.y})
    measured = trained.evaluate(
        test.x.reshape(-1, 28, 28, 1), test.y, batch_size=512, verbose=0, return_dict=True
    )
    return measured["accuracy"], trainer.report


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the example; ends with one line where something is wrong."""
    asked = parsed(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        accuracy, report = run(asked)
    except DistkerasError as error:
        raise SystemExit(str(error)) from None
    seconds = sum(report["seconds"].values())
    print(f"workers: {report['workers']}, epochs: {asked.epochs}, seconds: {seconds:.0f}")
    print(f"test accuracy: {accuracy:.4f}")


# Workers are new processes, which import this file: only the first one trains.
if __name__ == "__main__":
    main()
