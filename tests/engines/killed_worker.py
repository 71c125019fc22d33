"""Trains with a worker that is killed once, beside one that is not; prints both as JSON.

Run by ``test_retries.py`` in a process of its own: Spark retries a task only under a master that
says how often, and one process has one Spark.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from pyspark.sql import SparkSession

from distkeras.rules import Rule, Window, downpour
from distkeras.trainers import DOWNPOUR


class Killed(DOWNPOUR):
    """DOWNPOUR; the first process that sends its third window is killed before it does."""

    marker = ""

    def _rule(self) -> Rule:
        marker, plain, sent = Path(self.marker), downpour(), []

        def send(window: Window) -> Any:
            sent.append(1)
            if len(sent) == 3 and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return plain.send(window)

        return Rule("killed", send, plain.merge, plain.adopt)


def train(spark: SparkSession, kind: type[DOWNPOUR], workers: int) -> dict[str, Any]:
    """The weights and the report of one training of a linear model by plain SGD."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    rows = spark.range(300).selectExpr(
        "array(float(id % 7) / 7, float(id % 5) / 5) AS features", "double(id % 7) AS label"
    )
    trainer = kind(
        model, "sgd", "mse", [], num_workers=workers, num_epoch=3, batch_size=8, timeout=30.0
    )
    weights = trainer.train(rows).get_weights()
    flat = np.concatenate([array.ravel() for array in weights])
    return {**trainer.report, "weights": flat.tolist(), "history": len(trainer.history.records)}


def main(folder: str) -> None:
    """Prints the results of the four trainings."""
    builder = SparkSession.builder.master("local[2,4]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.log.level", "OFF").getOrCreate()
    results = {}
    for workers in (1, 2):
        Killed.marker = f"{folder}/killed-{workers}"
        results[f"plain-{workers}"] = train(spark, DOWNPOUR, workers)
        results[f"killed-{workers}"] = train(spark, Killed, workers)
    spark.stop()
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
