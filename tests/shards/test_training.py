"""Whole trainings with several parameter servers, whose processes or workers are killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from pyspark.sql import SparkSession

from distkeras.checkpoints import Checkpoint
from distkeras.errors import ConfigError, TrainingError
from distkeras.history import Progress
from distkeras.monitor import Validation
from distkeras.stopping import TargetMetric
from distkeras.trainers import ADAG, AEASGD, DOWNPOUR, DiLoCo, Trainer

ROWS, WIDTH = 96, 3
#: Seconds that a worker stays, in which the driver ends it however busy the machine is.
PATIENCE = 120.0


@pytest.fixture(scope="module")
def rows() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, WIDTH)).astype("f4")
    return {"features": x, "label": (x @ [1.0, -1.0, 0.5]).astype("f4")}


def trainer(kind: type[Trainer] = ADAG, servers: int = 1, **changes: Any) -> Trainer:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(5, "tanh"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((WIDTH,)), *layers])
    settings: dict[str, Any] = {"batch_size": 8, "num_epoch": 2, "seed": 5, "metrics": []}
    settings |= {"num_parameter_servers": servers, "num_workers": 1, **changes}
    return kind(model, keras.optimizers.SGD(0.05), "mse", **settings)


def weights(trained: Any) -> bytes:
    return b"".join(array.tobytes() for array in trained.get_weights())


def shards() -> list[int]:
    """The processes of shards that this one has."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                command = (folder / "cmdline").read_bytes()
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if b"distkeras.shards.process" in command and int(parent) == os.getpid():
                found.append(int(folder.name))
    return sorted(found)


def once(then: Callable[[], object]) -> Callable[[Progress], None]:
    """For ``on_progress``: does something when the first windows were merged."""
    done: list[object] = []

    def tell(progress: Progress) -> None:
        if progress.rows and not done:
            done.append(then())

    return tell


class Dies(keras.callbacks.Callback):
    """Ends a worker's process at the end of an epoch, at its first attempts."""

    def __init__(self, folder: Path, times: int) -> None:
        super().__init__()
        self._folder, self._times = folder, times

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        done = len(list(self._folder.iterdir()))
        if done < self._times:
            (self._folder / str(done)).touch()
            os.kill(os.getpid(), signal.SIGKILL)


class Stays(keras.callbacks.Callback):
    """Keeps a worker at the end of an epoch, until it is ended."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        if epoch == self._epoch:
            time.sleep(PATIENCE)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (AEASGD, {"communication_window": 3, "overlap": True}),
        (DiLoCo, {"num_workers": 2, "communication_window": 2, "compression": "bfloat16"}),
    ],
)
def test_the_model_is_that_of_one_server(
    rows: dict[str, np.ndarray], kind: type[Trainer], changes: dict[str, Any]
) -> None:
    whole = trainer(kind, **changes).train(rows)
    cut = trainer(kind, 3, **changes)
    assert weights(cut.train(rows)) == weights(whole)
    assert cut.report["rows_merged"] == 2 * ROWS
    assert shards() == []


def test_a_worker_that_is_killed_changes_nothing(
    rows: dict[str, np.ndarray], tmp_path: Path
) -> None:
    undisturbed = trainer(servers=2, num_epoch=4, communication_window=5).train(rows)
    callbacks = [Dies(tmp_path, 3)]
    cut = trainer(servers=2, num_epoch=4, communication_window=5, callbacks=callbacks)
    assert weights(cut.train(rows)) == weights(undisturbed)
    assert cut.report["rows_merged"] == 4 * ROWS
    assert len(list(tmp_path.iterdir())) == 3


def test_two_workers_learn(rows: dict[str, np.ndarray]) -> None:
    cut = trainer(DOWNPOUR, 2, num_workers=2, num_epoch=30, compression="int8")
    untrained = np.mean(np.square(rows["label"] - cut.keras_model(rows["features"])[:, 0]))
    validation = Validation(rows, keep_best="val_loss")
    model = cut.train(rows, validation=validation, stop=[TargetMetric("val_loss", 0.1)])
    found = np.mean(np.square(rows["label"] - model(rows["features"])[:, 0]))
    assert found < untrained / 2
    best = min(one.measures["val_loss"] for one in cut.history.validations)
    np.testing.assert_allclose(found, best, rtol=1e-3)


def test_a_server_that_is_killed_ends_the_training(rows: dict[str, np.ndarray]) -> None:
    endless = trainer(servers=2, num_workers=2, num_epoch=10**6)
    killed: list[int] = []

    def kill() -> None:
        killed.append(shards()[1])
        os.kill(killed[0], signal.SIGKILL)

    endless.on_progress = once(kill)
    said = (
        r"^parameter server \d at 127\.0\.0\.1:\d+, process \d+, ended while it was needed: killed"
    )
    with pytest.raises(TrainingError, match=said) as caught:
        endless.train(rows)
    assert f"process {killed[0]}," in str(caught.value)
    assert "\n" not in str(caught.value)
    assert shards() == []


@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 1)])
def test_a_checkpoint_is_gone_on_from_by_any_number_of_servers(
    rows: dict[str, np.ndarray], tmp_path: Path, before: int, after: int
) -> None:
    checkpoint = Checkpoint(tmp_path / "saved", every_seconds=None, every_windows=1)
    settings = {"num_epoch": 8, "communication_window": 2}
    undisturbed = trainer(**settings).train(rows)

    def saved(progress: Progress) -> None:
        if list(tmp_path.rglob("[0-9]*.checkpoint")):
            raise InterruptedError

    first = trainer(servers=before, callbacks=[Stays(4)], **settings)
    first.on_progress = saved
    with pytest.raises(InterruptedError):
        first.train(rows, checkpoint=checkpoint)
    assert shards() == []
    second = trainer(servers=after, **settings)
    assert weights(second.train(rows, checkpoint=checkpoint)) == weights(undisturbed)
    assert second.report["rows_resumed"] > 0
    assert second.report["rows_merged"] == 8 * ROWS


def test_a_training_that_has_ended_may_be_kept(rows: dict[str, np.ndarray], tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "saved", keep=True)
    ended = trainer(DiLoCo, 2, num_workers=2).train(rows, checkpoint=checkpoint)
    again = trainer(DiLoCo, 2, num_workers=2)
    assert weights(again.train(rows, checkpoint=checkpoint)) == weights(ended)
    assert again.report["rows_resumed"] == 2 * ROWS


def test_in_spark_with_tls(rows: dict[str, np.ndarray], spark: SparkSession) -> None:
    listed = list(zip(rows["features"].tolist(), rows["label"].tolist(), strict=True))
    frame = spark.createDataFrame(listed, "features array<float>, label float").coalesce(1)
    whole = trainer(DiLoCo, num_workers=2, communication_window=2).train(frame)
    spark.conf.set("spark.distkeras.tls", "true")
    try:
        cut = trainer(DiLoCo, 2, num_workers=2, communication_window=2)
        assert weights(cut.train(frame)) == weights(whole)
    finally:
        spark.conf.unset("spark.distkeras.tls")
    assert shards() == []


def test_what_cannot_be_is_refused_before_anything_starts(rows: dict[str, np.ndarray]) -> None:
    said = "num_parameter_servers is 27, but the model has 26 weights, and each server must have"
    with pytest.raises(ConfigError, match=said):
        trainer(servers=27).train(rows)
    said = "num_parameter_servers is 2, but must be 1: a simulation starts none"
    with pytest.raises(ConfigError, match=said):
        trainer(servers=2).simulate(rows)
