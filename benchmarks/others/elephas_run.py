"""Trains the MLP with elephas, in an environment of its own; the last line tells what came of it.

python elephas_run.py rows.npz synchronous 10 0.03
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import metadata

# Where elephas' parameter server is looked for.
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
os.environ["PYSPARK_PYTHON"] = sys.executable


def main() -> None:
    import numpy as np
    from elephas.spark_model import AsynchronousSparkModel, SparkModel
    from elephas.utils.rdd_utils import to_simple_rdd
    from pyspark.sql import SparkSession
    from tensorflow import keras

    path, mode, epochs, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    rows = np.load(path)
    keras.utils.set_random_seed(0)
    dense = [keras.layers.Dense(600, "relu") for _ in range(2)]
    width = rows["x"].shape[1]
    model = keras.Sequential([keras.Input((width,)), *dense, keras.layers.Dense(2, "softmax")])
    adagrad = keras.optimizers.Adagrad(rate)
    model.compile(adagrad, "sparse_categorical_crossentropy", metrics=["accuracy"])
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "4g")
        .config("spark.ui.enabled", "false")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    rdd = to_simple_rdd(session.sparkContext, rows["x"], rows["y"])
    rdd.count()
    # Once an epoch is the default, and as often as the synchronous one can.
    kind = SparkModel if mode == "synchronous" else AsynchronousSparkModel
    trainer = kind(model, num_workers=2)
    began = time.perf_counter()
    trainer.fit(rdd, epochs=epochs, batch_size=32, verbose=0, validation_split=0.0)
    seconds = time.perf_counter() - began
    predicted = trainer.master_network.predict(rows["x_test"], 4096, verbose=0).argmax(1)
    told = {"seconds": seconds, "accuracy": float((predicted == rows["y_test"]).mean())}
    packages = ("elephas", "pyspark", "tensorflow", "keras")
    versions = {name: metadata.version(name) for name in packages}
    session.stop()
    print(json.dumps({"run": told, "versions": versions}), flush=True)


if __name__ == "__main__":
    main()
