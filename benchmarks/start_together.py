"""Why ADAG with 40 workers is worse here than in Hermans' table: they all start at once.

40 workers that start at the same moment take Adam's first steps, as long as its learning rate in
every coordinate, from the same weights, and each update is 38 updates late from then on. On a
real cluster workers start one after the other, as Spark launches them and they import Keras; fewer
of them are then at work at the same time, too. Measured on a small network (784-256-256-10,
otherwise as ``thesis_table.py``): the time between two starts, in mini-batches of one worker, who
has 469 in all, and the accuracy on the test digits meanwhile.

    python benchmarks/start_together.py --data path/to/mnist
    python benchmarks/start_together.py                       # prints what was measured before
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import digits
import results_file
from rich.console import Console
from rich.table import Table

WORKERS, WINDOW, EPOCHS = 40, 20, 40
#: Mini-batches between the starts of two workers.
SPREADS = (0, 10, 40)


def run(spread: float, data: Path) -> dict[str, Any]:
    """The accuracy every four epochs, in percent."""
    import keras

    from distkeras.engines.conditions import Breakdown, Conditions, Constant, Exponential
    from distkeras.models import use_cores
    from distkeras.monitor import Validation
    from distkeras.trainers import ADAG

    use_cores(1)
    keras.utils.set_random_seed(0)
    layers = [keras.Input((784,)), *[keras.layers.Dense(256, "relu") for _ in range(2)]]
    model = keras.Sequential([*layers, keras.layers.Dense(10, "softmax")])
    trainer = ADAG(
        model,
        "adam",
        "sparse_categorical_crossentropy",
        features_col="x",
        label_col="y",
        batch_size=128,
        num_epoch=EPOCHS,
        num_workers=WORKERS,
        communication_window=WINDOW,
    )
    train, test = (digits.read(data, split)._asdict() for split in ("train", "t10k"))
    # A worker that breaks down before it began is one that begins later.
    later = tuple(Breakdown(k, 0.0, k * spread) for k in range(1, WORKERS)) if spread else ()
    conditions = Conditions(Exponential(1.0), delay=Constant(0.5), breakdowns=later)
    trainer.simulate(train, conditions, validation=Validation(test, every_epochs=4))
    looks = trainer.history.validations
    staleness = [record.staleness for record in trainer.history.records]
    return {
        "accuracy": [round(100 * look.measures["val_accuracy"], 2) for look in looks],
        "mean_staleness": round(sum(staleness) / len(staleness), 2),
    }


def show() -> None:
    """What was measured last."""
    path = results_file.RESULTS / "start_together.json"
    table = Table("mini-batches between starts", "staleness", "accuracy every 4 epochs, %")
    for spread, found in json.loads(path.read_text())["spreads"].items():
        curve = "  ".join(f"{accuracy:.1f}" for accuracy in found["accuracy"])
        table.add_row(spread, f"{found['mean_staleness']:.1f}", curve)
    Console(width=110).print(table)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="MNIST's IDX files; without, none is run")
    asked = parser.parse_args()
    if asked.data is not None:
        found = {str(spread): run(spread, asked.data) for spread in SPREADS}
        results_file.write("start_together", {"spreads": found, "epochs": EPOCHS})
    show()


if __name__ == "__main__":
    main()
