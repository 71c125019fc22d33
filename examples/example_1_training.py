"""Data bigger than memory, 2 of 3: workers train on what example 0 wrote, each on its share.

    python examples/example_1_training.py
    python examples/example_1_training.py --trainer DynSGD --workers 4 --epochs 10

Each worker is a task of Spark. It takes its rows once, in pieces, and keeps --memory-mb of them;
the others wait in a file of its machine, from which it trains window by window. No row comes to
this process, which only has the center: the weights that the workers exchange.

Then there is, in FOLDER/trained:

    model.keras          the center, as a Keras model
    preprocessor.json    so that `distkeras predict --model FOLDER/trained` scores raw rows
    history.parquet      each window: worker, loss, accuracy, staleness, wait
    report.json          rows, updates, seconds
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from session import spark_session

from distkeras.errors import DistkerasError
from distkeras.preprocessing.preprocessor import Preprocessor
from distkeras.progress_lines import describe
from distkeras.storage import locate, save_model, spark_url, write_json
from distkeras.trainers import TRAINERS, Trainer


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    add = parser.add_argument
    add("--folder", default="output/examples", help="of the three examples (%(default)s)")
    add("--trainer", choices=TRAINERS, default="ADAG", help="%(choices)s (%(default)s)")
    add("--workers", type=int, help="2; SingleTrainer has 1")
    add("--epochs", type=int, default=20, help="passes over the rows (%(default)s)")
    add("--window", type=int, help="mini-batches between two exchanges (the trainer's own)")
    add("--memory-mb", type=float, default=256, help="of rows, MiB of a worker (%(default)s)")
    add("--master", help="of Spark: yarn, spark://host:7077 (this machine)")
    return parser.parse_args(arguments)


def make_trainer(asked: argparse.Namespace, preprocessor: Preprocessor) -> Trainer:
    """The trainer, with a network as wide as the features."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    from models import mlp

    keras.utils.set_random_seed(0)
    # The equations of EAMSGD are those of SGD with momentum.
    sgd = asked.trainer == "EAMSGD"
    return TRAINERS[asked.trainer](
        mlp(preprocessor.dimension, len(preprocessor.classes or ())),
        keras.optimizers.SGD(0.05) if sgd else keras.optimizers.Adam(0.004),
        "sparse_categorical_crossentropy",
        num_workers=asked.workers,
        num_epoch=asked.epochs,
        communication_window=asked.window,
        memory_mb=asked.memory_mb,
    )


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Trains, and writes FOLDER/trained, in place of what may be there; returns the report."""
    data, place = locate(asked.folder) / "data", locate(asked.folder) / "trained"
    preprocessor = Preprocessor.load(data / "preprocessor.json")
    trainer = make_trainer(asked, preprocessor)
    if sys.stderr.isatty():
        trainer.on_progress = lambda now: print(f"\r{describe(now):70}", end="", file=sys.stderr)
    spark = spark_session("example 1", asked.master)
    model = trainer.train(spark.read.parquet(spark_url(data / "train")))
    save_model(model, place / "model.keras")
    preprocessor.save(place / "preprocessor.json")
    trainer.history.to_parquet(place / "history.parquet")
    report = {"trainer": asked.trainer, **trainer.report}
    write_json(place / "report.json", report)
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the example; ends with one line where something is wrong."""
    asked = parsed(arguments)
    try:
        report = run(asked)
    except DistkerasError as error:
        raise SystemExit(str(error)) from None
    updates, seconds = report["windows"], report["seconds"]["train"]
    print(f"{report['rows_merged']:,} rows in {updates:,} updates, {seconds:.0f} s of training")
    print(f"{asked.folder}/trained: model.keras, history.parquet, report.json")


if __name__ == "__main__":
    main()
