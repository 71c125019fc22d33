"""Trains a model whose right center is known, where and how the caller says; prints JSON.

The loss is how far a prediction is below a label that is far above any: its gradient is the mean
of a mini-batch's features, whatever the weights. So any order of workers, windows and retries
ends at the same center, if and only if every row was merged once an epoch. All numbers are
multiples of powers of two: the sums are exact.

Run by ``asking.py``, in a process of its own: one process has one Spark.
"""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from pyspark import TaskContext
from pyspark.sql import SparkSession

from distkeras import trainers
from distkeras.errors import DistkerasError
from distkeras.rules import Rule, Window

#: Rows of each training, and of each mini-batch.
ROWS, BATCH = 320, 8


def no_trouble(sent: int, marker: Path) -> None:
    """A worker that nothing happens to."""


def killed(sent: int, marker: Path) -> None:
    """The first worker that would send its third window: its executor's JVM is killed."""
    if sent == 3 and not marker.exists():
        marker.touch()
        os.kill(executor(), signal.SIGKILL)
        time.sleep(600)  # This process ends with it.


def failing(sent: int, marker: Path) -> None:
    """The first worker that would send its third window fails."""
    if sent == 3 and not marker.exists():
        marker.touch()
        raise RuntimeError("as the test asks")


def straggling(sent: int, marker: Path) -> None:
    """The first try at share 1 is slow."""
    context = TaskContext.get()
    if context is not None and context.partitionId() == 1 and context.attemptNumber() == 0:
        time.sleep(1.0)


def executor() -> int:
    """The JVM that this Python worker belongs to."""
    pid = os.getpid()
    while "java" not in Path(f"/proc/{pid}/exe").resolve().name:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid


TROUBLES = {"none": no_trouble, "killed": killed, "failing": failing, "straggling": straggling}


def troubled(plain: Rule, trouble: Callable[[int, Path], None], folder: Path) -> Rule:
    """A rule whose workers note where they run, and have trouble before they send a window."""
    sent = []

    def send(window: Window) -> Any:
        sent.append(1)
        context = TaskContext.get()
        if context is not None:
            name = f"{context.partitionId()}-{context.taskAttemptId()}"
            (folder / name).write_text(f"{os.readlink('/proc/self/ns/net')} {sys.prefix}")
        trouble(len(sent), folder / "trouble")
        return plain.send(window)

    return replace(plain, send=send)


def train(spark: SparkSession, asked: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One training: its weights and what else there is to know."""
    base = getattr(trainers, asked["trainer"])
    trouble = TROUBLES[asked["trouble"]]

    class Troubled(base):
        def _rule(self) -> Rule:
            return troubled(super()._rule(), trouble, folder)

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    rows = spark.range(ROWS).selectExpr(
        "array(float(id % 8) / 8, float(id % 4) / 4) AS features", "double(1000) AS label"
    )
    sgd = keras.optimizers.SGD(1 / 64)
    arguments = {"batch_size": BATCH, "communication_window": 5, "num_workers": 2, "timeout": 60.0}
    trainer = Troubled(model, sgd, "mae", [], **{**arguments, **asked["arguments"]})
    executors: list[int] = []
    listening: set[str] = set()

    def look(now: object) -> None:
        executors.append(alive(spark))
        listening.update(ports())

    trainer.on_progress = look
    if idle := asked["idle"]:
        rows.count()
        await_executors(spark, idle)
        executors.append(alive(spark))
    weights = trainer.train(rows).get_weights()
    if idle:
        await_executors(spark, idle)
    return {
        "report": trainer.report,
        "weights": np.concatenate([array.ravel() for array in weights]).tolist(),
        "windows": len(trainer.history.records),
        "executors": [*executors, alive(spark)],
        "listening": sorted(listening),
        "places": {path.name: path.read_text().split() for path in folder.glob("[0-9]*-*")},
        "driver": spark.conf.get("spark.driver.host"),
    }


def ports() -> set[str]:
    """Where somebody on this host listens over IPv4 alone; Java takes IPv6 sockets for both."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        if state == "0A":
            address, _, port = local.partition(":")
            host = ipaddress.ip_address(bytes.fromhex(address)[::-1])
            found.add(f"{host}:{int(port, 16)}")
    return found


def alive(spark: SparkSession) -> int:
    """The executors that Spark has now; it counts the driver as one."""
    return int(spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size()) - 1


def await_executors(spark: SparkSession, most: int, seconds: float = 120.0) -> None:
    """Waits until Spark has given executors back, but for so many less one."""
    deadline = time.monotonic() + seconds
    while alive(spark) >= most and time.monotonic() < deadline:
        time.sleep(0.2)


def main(folder: str) -> None:
    """Does what the standard input asks for."""
    asked = json.load(sys.stdin)
    conf = {"spark.ui.enabled": "false", "spark.log.level": "WARN", **asked["conf"]}
    builder = SparkSession.builder
    for key, value in conf.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    try:
        result = train(spark, asked, Path(folder))
    except DistkerasError as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result))
    sys.stdout.flush()
    with suppress(Exception):
        spark.stop()


if __name__ == "__main__":
    main(sys.argv[1])
