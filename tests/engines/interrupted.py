"""Trains until Ctrl-C, looks at what is left, and trains again; prints what it found as JSON.

Run by ``test_interrupts.py`` in a session of its own: Ctrl-C reaches all processes of a terminal.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distkeras.trainers import DOWNPOUR

ROWS = 320


def rows_of(engine: str) -> Any:
    """Rows in Spark, or in memory for processes of this machine."""
    if engine == "local":
        index = np.arange(ROWS, dtype=np.float32)
        return {"features": np.stack([index % 8, index % 4], axis=1), "label": index % 7}
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.log.level", "OFF").getOrCreate()
    return spark.range(ROWS).selectExpr(
        "array(float(id % 8), float(id % 4)) AS features", "double(id % 7) AS label"
    )


def trainer(epochs: int) -> DOWNPOUR:
    """For a small model."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    return DOWNPOUR(model, "sgd", "mse", [], num_workers=2, num_epoch=epochs, batch_size=8)


def workers() -> list[str]:
    """The processes of this session that train; not Spark's daemon, which has forked them."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if os.getsid(int(folder.name)) == os.getsid(0):
                    parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[folder.name] = parent, command
            except OSError:
                continue
    forked = [
        command
        for parent, command in found.values()
        if "pyspark.worker" in command and "pyspark.worker" in found.get(parent, ("", ""))[1]
    ]
    return forked + [command for _, command in found.values() if "spawn_main" in command]


def left() -> dict[str, list[str]]:
    """Threads, workers and files of a training."""
    threads = [one.name for one in threading.enumerate() if one.name.startswith("distkeras-")]
    files = [path.name for path in Path(tempfile.gettempdir()).glob("distkeras-*")]
    return {"threads": threads, "workers": workers(), "files": files}


def settled(look: Callable[[], dict[str, list[str]]], seconds: float = 20.0) -> dict[str, Any]:
    """What is still there after some time; at once if that is nothing."""
    end = time.monotonic() + seconds
    while any((found := look()).values()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def main(engine: str) -> None:
    """Says "training" when it does, and waits for Ctrl-C."""
    rows = rows_of(engine)
    endless = trainer(10_000_000)

    def tell(progress: Any) -> None:
        if progress.rows:
            endless.on_progress = None
            print("training", flush=True)

    endless.on_progress = tell
    try:
        endless.train(rows)
    except KeyboardInterrupt:
        found = settled(left)
    again = trainer(2)
    again.train(rows)
    print(json.dumps({"left": found, "again": again.report["rows_merged"]}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
