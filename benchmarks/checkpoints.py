"""What checkpoints cost: steady-state samples/s of the same training with and without them.

The MLP 30-600-600-2 (380,402 parameters) on the synthetic task, DOWNPOUR, two worker processes.
The default is a checkpoint every 60 s; here one is written every 5 s, twelve times as often.

    python benchmarks/checkpoints.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import higgs_like
import results_file
from rich.console import Console
from rich.table import Table

ROWS, SECONDS = 100_000, 5.0


def rate(rows: dict[str, Any], seconds: float, folder: Path | None) -> tuple[float, int]:
    """Samples/s from the first merged window to the last, and the checkpoints that were written."""
    import keras

    from distkeras.checkpoints import Checkpoint
    from distkeras.stopping import Deadline
    from distkeras.trainers import DOWNPOUR

    keras.utils.set_random_seed(0)
    layers = [keras.Input((30,)), *[keras.layers.Dense(600, "relu") for _ in range(2)]]
    model = keras.Sequential([*layers, keras.layers.Dense(2, "softmax")])
    adagrad = keras.optimizers.Adagrad(0.01)
    trainer = DOWNPOUR(
        model, adagrad, "sparse_categorical_crossentropy", [], num_epoch=1000, num_workers=2
    )
    seen: set[str] = set()

    def look(progress: Any) -> None:
        if folder is not None:
            seen.update(path.name for path in folder.iterdir() if path.name[0] != ".")

    trainer.on_progress = look
    # Ten seconds until the workers have imported Keras.
    course: dict[str, Any] = {"stop": [Deadline(10 + seconds)]}
    if folder is not None:
        course["checkpoint"] = Checkpoint(folder, every_seconds=SECONDS)
    trainer.train(rows, **course)
    records = trainer.history.records
    samples = sum(record.samples for record in records[1:])
    return samples / (records[-1].timestamp - records[0].timestamp), len(seen)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="of each training")
    parser.add_argument("--rounds", type=int, default=3, help="trainings of each kind")
    arguments = parser.parse_args()
    features, labels, _ = higgs_like.make(ROWS)
    rows = {"features": features, "label": labels}
    plain, saving, written = [], [], 0
    for _ in range(arguments.rounds):
        plain.append(rate(rows, arguments.seconds, None)[0])
        with tempfile.TemporaryDirectory() as folder:
            found, count = rate(rows, arguments.seconds, Path(folder))
        saving.append(found)
        written += count
    ratio = statistics.median(s / p for p, s in zip(plain, saving, strict=True))
    table = Table("samples/s", f"with a checkpoint every {SECONDS:g} s", "ratio", "checkpoints")
    medians = (f"{statistics.median(one):,.0f}" for one in (plain, saving))
    table.add_row(*medians, f"{ratio:.3f}", str(written))
    Console().print(table)
    figures = {"plain": plain, "saving": saving, "ratio": ratio, "checkpoints": written}
    results_file.write("checkpoints", {"every_seconds": SECONDS, **figures})


if __name__ == "__main__":
    main()
