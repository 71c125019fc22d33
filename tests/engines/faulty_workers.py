"""Trains with workers that break down at chosen moments; prints what came of it as JSON.

Run by ``test_faults.py`` in a process of its own: Spark retries a task only under a master that
says how often, and one process has one Spark.

The loss is how far a prediction is below a label that is far above any: its gradient is the mean
of a mini-batch's features, whatever the weights. So any order of workers, windows and retries
ends at the same center, if and only if every row was merged once an epoch; all numbers are
multiples of powers of two, so the sums are exact. "squares" has an ordinary loss instead: there
every window depends on the one before, and one worker ends at the same center bit for bit.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from pyspark import TaskContext
from pyspark.sql import SparkSession

from distkeras.errors import DistkerasError
from distkeras.rules import Rule, Window, downpour
from distkeras.trainers import DOWNPOUR
from distkeras.transport import frames

ROWS, BATCH, WINDOW = 240, 4, 5


class Fault(NamedTuple):
    """What happens to a worker.

    Attributes:
        worker: to whom, from 0.
        attempt: at which of its attempts, from 0.
        window: at which window of that attempt, from 1.
        place: one of ``PLACES``.
    """

    worker: int
    attempt: int
    window: int
    place: str


def die() -> None:
    """The end of this process, without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


def pause() -> None:
    """This process stands still for three seconds, with all its threads."""
    subprocess.Popen(["sh", "-c", f"sleep 3; kill -CONT {os.getpid()}"])
    os.kill(os.getpid(), signal.SIGSTOP)


def stop() -> None:
    """This process stands still until it is killed."""
    os.kill(os.getpid(), signal.SIGSTOP)


def fail() -> None:
    """The end of this attempt."""
    raise RuntimeError("as the test asks")


def lose_shuffle_files() -> None:
    """Ends this process, and removes the files that its rows came from: Spark makes them anew."""
    for folder in os.environ["SPARK_LOCAL_DIRS"].split(","):
        for path in Path(folder).rglob("shuffle_*"):
            path.unlink(missing_ok=True)
    die()


def when_sending(part: float, then: Callable[[socket.socket], None]) -> Callable[[], None]:
    """Has only a part of the next frame be sent by this thread, and something happen after it."""

    def arm() -> None:
        thread, plain = threading.current_thread(), frames._send_some

        def send_some(connection: socket.socket, queue: list[memoryview]) -> int:
            if threading.current_thread() is not thread:
                return plain(connection, queue)
            frames._send_some = plain
            whole = b"".join(queue)
            connection.sendall(whole[: int(part * len(whole))])
            then(connection)
            raise ConnectionResetError("as the test asks")

        frames._send_some = send_some

    return arm


#: What happens before a window is sent, or instead of it.
PLACES: dict[str, Callable[[], None]] = {
    "before it is sent": die,
    "half a frame": when_sending(0.5, lambda connection: die()),
    "before the answer": when_sending(1.0, lambda connection: die()),
    "a raise": fail,
    "a cut at half a frame": when_sending(0.5, lambda one: one.shutdown(socket.SHUT_RDWR)),
    "a cut before the answer": when_sending(1.0, lambda one: one.shutdown(socket.SHUT_RDWR)),
    "lost shuffle files": lose_shuffle_files,
    "a pause": pause,
    "a stop": stop,
}
AFTER_THE_ANSWER = "after the answer"


def troubled(faults: list[Fault], folder: Path) -> Rule:
    """DOWNPOUR, whose workers have these faults; each leaves a file when it happens."""
    plain, sent = downpour(), []

    def happens(place: str) -> bool:
        context = TaskContext.get()
        assert context is not None
        who = context.partitionId(), attempt(folder, context)
        fault = Fault(*who, len(sent), place)
        if fault in faults:
            (folder / "-".join(map(str, fault))).touch()
        return fault in faults

    def send(window: Window) -> Any:
        sent.append(1)
        for place, happen in PLACES.items():
            if happens(place):
                happen()
        return plain.send(window)

    def adopt(weights: Any, answer: Any) -> Any:
        if sent and happens(AFTER_THE_ANSWER):
            die()
        return plain.adopt(weights, answer)

    return Rule("troubled", send, plain.merge, adopt)


def attempt(folder: Path, context: TaskContext) -> int:
    """Which try at its partition this is: Spark counts anew when a stage is tried again."""
    partition, own = context.partitionId(), f"task-{context.taskAttemptId():09}"
    (folder / f"try-{partition}").mkdir(exist_ok=True)
    (folder / f"try-{partition}" / own).touch()
    return sorted(path.name for path in (folder / f"try-{partition}").iterdir()).index(own)


def train(spark: SparkSession, asked: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One training: its weights and its report."""
    faults = [Fault(*fault) for fault in asked["faults"]]

    class Troubled(DOWNPOUR):
        def _rule(self) -> Rule:
            return troubled(faults, folder)

    squares = asked["squares"]
    layer = keras.layers.Dense(1, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((2,)), layer])
    rows = spark.range(ROWS).selectExpr(
        "array(float(id % 8) / 8, float(id % 4) / 4) AS features",
        "double(id % 7) AS label" if squares else "double(1000) AS label",
    )
    trainer = Troubled(
        model,
        keras.optimizers.SGD(1 / 64),
        "mse" if squares else "mae",
        [],
        num_workers=asked["workers"],
        num_epoch=asked["epochs"],
        batch_size=BATCH,
        communication_window=WINDOW,
        timeout=60.0,
        worker_timeout=asked["worker_timeout"],
    )
    try:
        weights = trainer.train(rows).get_weights()
    except DistkerasError as problem:
        return {"error": f"{type(problem).__name__}: {problem}"}
    return {
        "weights": np.concatenate([array.ravel() for array in weights]).tolist(),
        "report": trainer.report,
        "windows": len(trainer.history.records),
        "happened": sorted(path.name for path in folder.iterdir() if path.is_file()),
    }


def main(folder: str) -> None:
    """Does one training after the other, as the standard input asks."""
    builder = SparkSession.builder.master("local[2,4]").config("spark.ui.enabled", "false")
    local = Path(folder, "spark")
    builder = builder.config("spark.local.dir", str(local)).config("spark.log.level", "OFF")
    builder = builder.config("spark.python.daemon.module", "tests.engines.warm_daemon")
    spark = builder.getOrCreate()
    results = []
    for number, asked in enumerate(json.load(sys.stdin)):
        place = Path(folder, str(number))
        place.mkdir()
        results.append(train(spark, asked, place))
    spark.stop()
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
