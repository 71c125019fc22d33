"""Keras callbacks on a worker: real callbacks, a real replica, a real server."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest
from pyspark import cloudpickle

from distkeras.callbacks import Callbacks, check_callbacks
from distkeras.engines.task import Job, run
from distkeras.errors import CallbackFailed, ConfigError, TrainingError
from distkeras.names import KEY, Columns
from distkeras.replica import Replica, ReplicaSpec, travelling
from distkeras.rules import downpour
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.trainers import DOWNPOUR, AveragingTrainer, SingleTrainer, Trainer
from distkeras.transport import inproc
from distkeras.transport.tcp import TcpServer
from distkeras.worker import Assignment, Worker

ROWS, BATCH = 10, 4
FIRST = Assignment(0, 0)


class Table:
    """Rows in memory, as a worker reads them."""

    def __init__(self) -> None:
        self.x = np.random.default_rng(0).normal(size=(ROWS, 2)).astype("f4")
        self.y = (self.x @ [1.0, -2.0]).astype("f4")

    def __len__(self) -> int:
        return ROWS

    def take(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {"x0": self.x[indices], "y0": self.y[indices]}


class Diary(keras.callbacks.Callback):
    """Writes down what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.calls.append(("train", self.params))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.calls.append(("epoch", epoch))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.calls.append(("from", batch))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.calls.append(("to", batch, logs["loss"]))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.calls.append(("epoch ends", epoch, logs["loss"]))

    def on_train_end(self, logs: Any = None) -> None:
        self.calls.append(("train ends",))


def compiled(optimizer: Any = None) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer or keras.optimizers.SGD(0.1), "mse")
    return model


def spec(window: int, batch: int = BATCH) -> ReplicaSpec:
    config = json.dumps(keras.saving.serialize_keras_object(compiled()))
    return ReplicaSpec(config, batch, window, jit=False)


def job(schedule: Schedule, *callbacks: Any) -> Job:
    told = spec(schedule.window or 3, schedule.batch_size)
    layout = Replica(told).layout
    return Job(told, downpour(), schedule, layout, Columns(), 2**20, callbacks=callbacks)


def train(schedule: Schedule, *callbacks: Any, before: int = 0) -> ParameterServer:
    """One worker to its end; after ``before`` windows of an attempt that nobody listened to."""
    told = job(schedule, *callbacks)
    weights = [variable.numpy() for variable in travelling(compiled())]
    server = ParameterServer(told.layout.flatten(weights), told.rule, ("loss",))
    if before:
        first = Worker(FIRST, Table(), Replica(told.spec), told.rule, schedule)
        first.start(server.join(0, 0, ROWS))
        for _ in range(before):
            assert first.window()
            first.adopt(server.exchange(first.update()), 0.0)
    who, replica = Assignment(0, 1 if before else 0), Replica(told.spec)
    listener = told.listener(who, ROWS, replica)
    with inproc.connect(server) as channel:
        Worker(who, Table(), replica, told.rule, schedule, listener).train(channel)
    return server


def test_it_is_told_of_windows_and_epochs_in_their_order() -> None:
    """Mini-batches of 4, 4 and 2 rows in an epoch; windows of 2, so the second ends in epoch 1."""
    diary = Diary()
    server = train(Schedule(BATCH, 2, 2, 0), diary)
    losses = [float(record.metrics[0]) for record in server.history]
    rows = [record.samples for record in server.history]
    assert rows == [8, 6, 6]
    mean = (losses[1] + losses[2]) / 2
    assert diary.calls == [
        ("train", {"epochs": 2, "steps": 3, "verbose": 0, "worker": 0}),
        *(("epoch", 0), ("from", 0), ("to", 1, pytest.approx(losses[0]))),
        ("epoch ends", 0, pytest.approx(losses[0])),
        *(("epoch", 1), ("from", 0), ("to", 0, pytest.approx(losses[1]))),
        *(("from", 1), ("to", 2, pytest.approx(losses[2]))),
        *(("epoch ends", 1, pytest.approx(mean)), ("train ends",)),
    ]


def test_the_mean_of_an_epoch_is_weighted_by_rows() -> None:
    diary = Diary()
    server = train(Schedule(BATCH, 2, 1, 0), diary)
    (first, second) = (record for record in server.history)
    assert (first.samples, second.samples) == (8, 2)
    mean = (8 * first.metrics[0] + 2 * second.metrics[0]) / 10
    assert diary.calls[-2] == ("epoch ends", 0, pytest.approx(float(mean)))


def test_a_later_attempt_begins_where_the_earlier_one_was_lost() -> None:
    diary = Diary()
    train(Schedule(BATCH, 1, 2, 0), diary, before=4)
    names = [call[:2] for call in diary.calls]
    assert names[1:4] == [("epoch", 1), ("from", 1), ("to", 1)]
    late = Diary()
    train(Schedule(BATCH, 1, 1, 0), late, before=3)
    assert late.calls == []


def test_a_scheduler_changes_the_learning_rate_of_the_windows_that_follow() -> None:
    """All rows in one mini-batch: W <- W - eta 2/n X'(XW - y), by hand."""
    rates = [0.1, 0.02, 0.3]
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch: rates[epoch])
    server = train(Schedule(ROWS, 1, 3, 0), scheduler)
    table = Table()
    weights = compiled().get_weights()[0].ravel()
    for rate in rates:
        weights = weights - rate * 2 / ROWS * table.x.T @ (table.x @ weights - table.y)
    np.testing.assert_allclose(server.center, weights, atol=1e-5)


def test_a_callback_reads_what_the_one_before_it_wrote_down(tmp_path: Path) -> None:
    """Callbacks are called one after the other, with the same logs."""
    path = tmp_path / "log.csv"
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    train(Schedule(BATCH, 3, 2, 0), scheduler, keras.callbacks.CSVLogger(path))
    with path.open() as file:
        written = list(csv.DictReader(file))
    assert [row["epoch"] for row in written] == ["0", "1"]
    assert [float(row["learning_rate"]) for row in written] == pytest.approx([0.1, 0.05])
    assert float(written[1]["loss"]) > 0


def test_the_callbacks_of_keras_run(tmp_path: Path) -> None:
    train(
        Schedule(BATCH, 2, 2, 0),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.LambdaCallback(on_train_end=lambda logs: (tmp_path / "end").touch()),
        keras.callbacks.ModelCheckpoint(
            str(tmp_path / "{epoch}.weights.h5"), save_weights_only=True
        ),
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "1.weights.h5",
        "2.weights.h5",
        "end",
    ]


class Stopper(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training = True


def test_a_callback_cannot_stop_the_training() -> None:
    with pytest.raises(
        TrainingError, match=r"callback Stopper set model.stop_training in on_epoch"
    ):
        train(Schedule(BATCH, 3, 2, 0), Diary(), Stopper())


def test_a_replica_that_was_stopped_once_is_used_again() -> None:
    replica = Replica(spec(3))
    replica.model.stop_training = True
    diary = Diary()
    step = next(Schedule(BATCH, 3, 1, 0).windows(0, ROWS))
    Callbacks([diary], replica, {"worker": 0}).before(step)
    assert [call[0] for call in diary.calls] == ["train", "epoch", "from"]


def test_a_callback_that_fails_is_named() -> None:
    def fails(batch: int, logs: Any) -> None:
        raise KeyError("accuracy")

    with pytest.raises(
        CallbackFailed, match=r"LambdaCallback failed in on_train_batch_end .*KeyErr"
    ):
        train(Schedule(BATCH, 3, 1, 0), keras.callbacks.LambdaCallback(on_train_batch_end=fails))


def test_a_job_takes_its_callbacks_along(tmp_path: Path) -> None:
    """As in a Spark task: pickled there and back, and over a real port."""
    path = tmp_path / "losses.txt"

    def write(epoch: int, logs: dict[str, float]) -> None:
        with path.open("a") as file:
            file.write(f"{epoch} {logs['loss']:.6f}\n")

    sent = job(Schedule(BATCH, 3, 2, 0), keras.callbacks.LambdaCallback(on_epoch_end=write))
    token = b"t" * 32
    table = Table()
    columns = {
        KEY: pa.array(np.arange(ROWS)),
        "x0": pa.array(table.x.tolist(), pa.list_(pa.float32())),
        "y0": pa.array(table.y),
    }
    server = ParameterServer(np.zeros(sent.layout.size, np.float32), sent.rule, ("loss",))
    with TcpServer(server, token) as tcp:
        arrived = cloudpickle.loads(cloudpickle.dumps(sent))
        arrived = replace(arrived, address=tcp.address, token=token)
        run(iter([pa.RecordBatch.from_pydict(columns)]), arrived, FIRST)
    losses = [float(record.metrics[0]) for record in server.history]
    assert path.read_text() == "".join(f"{n} {loss:.6f}\n" for n, loss in enumerate(losses))


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: keras.callbacks.EarlyStopping(), r"EarlyStopping .* stop=\[NoImprovement"),
        (lambda: keras.callbacks.ReduceLROnPlateau(), r"ReduceLROnPlateau .*schemes.Emperor"),
        (lambda: keras.callbacks.BackupAndRestore("x"), r"BackupAndRestore .* resumed without"),
        (
            lambda: keras.callbacks.ModelCheckpoint("x.keras", save_best_only=True),
            r"no 'val_loss' for ModelCheckpoint; use Validation\(keep_best",
        ),
        (lambda: "EarlyStopping", "str is no keras.callbacks.Callback"),
    ],
)
def test_what_needs_one_loop_for_all_workers_is_refused(
    make: Callable[[], Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        check_callbacks([keras.callbacks.TerminateOnNaN(), make()])


def test_callbacks_are_a_list() -> None:
    assert check_callbacks(()) == ()
    with pytest.raises(ConfigError, match="callbacks is Diary, but must be a list"):
        check_callbacks(Diary())


def test_a_rate_that_is_scheduled_already_is_not_scheduled_twice() -> None:
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)
    decay = keras.optimizers.schedules.CosineDecay(0.1, 10)
    assert check_callbacks([scheduler], compiled()) == (scheduler,)
    with pytest.raises(ConfigError, match="cannot change the learning rate, which is a schedule"):
        check_callbacks([scheduler], compiled(keras.optimizers.SGD(decay)))


def trainer(kind: type[Trainer], *callbacks: Any, **changes: Any) -> Trainer:
    settings = {"metrics": [], "batch_size": BATCH, "callbacks": callbacks, **changes}
    return kind(compiled(), None, None, **settings)


def test_virtual_workers_have_callbacks_and_optimizers_of_their_own() -> None:
    """Half the rows each, one mini-batch an epoch; c <- c + sum of W - c at each one's own rate."""

    class Own(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.model.optimizer.learning_rate = (0.1, 0.02)[self.params["worker"]] / (epoch + 1)

    table = Table()
    rows = {"features": table.x, "label": table.y}
    mine = trainer(AveragingTrainer, Own(), batch_size=ROWS, num_epoch=2)
    weights = compiled().get_weights()[0].ravel()
    for epoch in range(2):
        steps = []
        for worker, rate in enumerate((0.1, 0.02)):
            x, y = table.x[worker::2], table.y[worker::2]
            steps.append(rate / (epoch + 1) * 2 / len(x) * x.T @ (x @ weights - y))
        weights = weights - np.mean(steps, axis=0)
    np.testing.assert_allclose(mine.simulate(rows).get_weights()[0].ravel(), weights, atol=1e-5)


def test_a_trainer_refuses_what_its_workers_cannot_call() -> None:
    with pytest.raises(ConfigError, match="EarlyStopping needs one loop for all workers"):
        trainer(DOWNPOUR, keras.callbacks.EarlyStopping())
    table = Table()
    mine = trainer(DOWNPOUR, keras.callbacks.LearningRateScheduler(lambda epoch: 0.1))
    mine.learning_rate = keras.optimizers.schedules.CosineDecay(0.1, 10)
    with pytest.raises(ConfigError, match="which is a schedule"):
        mine.simulate({"features": table.x, "label": table.y})


def test_in_spark(spark: Any, tmp_path: Path) -> None:
    """Every task has its copy; one that fails ends the training without a retry."""
    table = Table()
    listed = list(zip(table.x.tolist(), table.y.tolist(), strict=True))
    frame = spark.createDataFrame(listed, "features array<float>, label float")

    class Mark(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            (tmp_path / f"{self.params['worker']} {epoch}").touch()

    trainer(DOWNPOUR, Mark(), num_epoch=2, communication_window=2).train(frame)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0 0", "0 1", "1 0", "1 1"]

    def stop(epoch: int, logs: Any) -> None:
        with (tmp_path / "tries").open("a") as file:
            file.write("x")
        raise ValueError("enough")

    failing = trainer(SingleTrainer, keras.callbacks.LambdaCallback(on_epoch_end=stop))
    with pytest.raises(CallbackFailed, match=r"LambdaCallback failed in on_epoch_end .*enough"):
        failing.train(frame)
    assert (tmp_path / "tries").read_text() == "x"
