"""The trainers in a real Spark, over real TCP."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from distkeras import rules
from distkeras.errors import ConfigError, DataError, TrainingDiverged, WorkerFailed
from distkeras.history import Progress
from distkeras.rules import Rule
from distkeras.trainers import ADAG, AEASGD, DOWNPOUR, TRAINERS, SingleTrainer, Trainer

ROWS, WIDTH = 1200, 4


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, WIDTH)).astype("f4")
    return x, (x @ [1.0, -1.0, 0.5, 2.0] > 0).astype(int)


@pytest.fixture(scope="module")
def frame(spark: SparkSession, data: tuple[np.ndarray, np.ndarray]) -> DataFrame:
    rows = [(x.tolist(), int(y)) for x, y in zip(*data, strict=True)]
    return spark.createDataFrame(rows, "features array<float>, label int").cache()


def mlp(units: int = 2, activation: str = "softmax") -> Any:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(units, activation)]
    return keras.Sequential([keras.Input((WIDTH,)), *layers])


def arguments(**changes: Any) -> dict[str, Any]:
    known = {"worker_optimizer": "adam", "loss": "sparse_categorical_crossentropy"}
    return {**known, "num_epoch": 2, "batch_size": 16, **changes}


@pytest.mark.parametrize("name", sorted(TRAINERS))
def test_every_trainer_learns(
    frame: DataFrame, data: tuple[np.ndarray, np.ndarray], name: str
) -> None:
    optimizer = keras.optimizers.SGD(0.1) if name == "EAMSGD" else keras.optimizers.Adam(0.02)
    told: list[Progress] = []
    trainer = TRAINERS[name](mlp(), **arguments(num_epoch=4, worker_optimizer=optimizer))
    trainer.on_progress = told.append
    model = trainer.train(frame)
    accuracy = (model.predict(data[0], verbose=0).argmax(1) == data[1]).mean()
    assert accuracy > 0.85
    assert trainer.report["rows_merged"] == ROWS * 4
    table = trainer.history.to_arrow().to_pydict()
    assert sum(table["samples"]) == ROWS * 4
    assert set(table["worker"]) == set(range(trainer.num_workers))
    assert max(table["epoch"]) == 3
    assert (told[0].phase, told[-1].rows) == ("check", ROWS * 4)


def test_the_call_of_the_readme(frame: DataFrame) -> None:
    model = mlp()
    before = model.get_weights()
    trained = ADAG(
        keras_model=model,
        worker_optimizer="adam",
        loss="categorical_crossentropy",
        num_workers=2,
        batch_size=32,
        features_col="features",
        label_col="label",
        num_epoch=5,
        communication_window=12,
    ).train(frame)
    assert isinstance(trained, keras.Model)
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_one_worker_and_a_window_of_one_are_plain_training(frame: DataFrame) -> None:
    weights = [
        trainer(mlp(), num_workers=1, **arguments(worker_optimizer="sgd", num_epoch=1, **window))
        .train(frame)
        .get_weights()
        for trainer, window in (
            (SingleTrainer, {"communication_window": 7}),
            (DOWNPOUR, {"communication_window": 1}),
            (ADAG, {"communication_window": 1}),
        )
    ]
    for other in weights[1:]:
        for mine, theirs in zip(weights[0], other, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("name", ["SingleTrainer", "AveragingTrainer", "EASGD", "DiLoCo"])
def test_the_same_seed_gives_the_same_model_bit_for_bit(frame: DataFrame, name: str) -> None:
    runs = [
        TRAINERS[name](mlp(), **arguments(seed=seed)).train(frame).get_weights()
        for seed in (1, 1, 2)
    ]
    for first, second in zip(runs[0], runs[1], strict=True):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(runs[0][0], runs[2][0])


def test_regression_with_one_output(spark: SparkSession) -> None:
    frame = spark.range(400).selectExpr(
        "array(float(id % 7), 1f, 0f, 0f) AS features", "double(id % 7) * 2 + 1 AS label"
    )
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((WIDTH,)), keras.layers.Dense(1)])
    trainer = DOWNPOUR(model, keras.optimizers.SGD(0.02), "mse", ["mae"], num_epoch=10)
    trained = trainer.train(frame)
    error = abs(trained.predict(np.float32([[3, 1, 0, 0]]), verbose=0)[0, 0] - 7)
    assert error < 0.5
    assert trainer.history.metrics == ("loss", "mae")


def test_a_sequence_of_open_length_and_a_window_larger_than_the_data(frame: DataFrame) -> None:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.GRU(3), keras.layers.Dense(2, "softmax")]
    model = keras.Sequential([keras.Input((None, 1)), *layers])
    trainer = ADAG(model, communication_window=10**6, **arguments(num_epoch=1))
    trainer.train(frame)
    assert (trainer.report["rows_merged"], trainer.report["windows"]) == (ROWS, 2)


def test_no_worker_is_left_without_rows(frame: DataFrame) -> None:
    trainer = DOWNPOUR(mlp(), num_workers=4, **arguments(num_epoch=1))
    trainer.train(frame.limit(4).repartition(4))
    assert sorted(record.samples for record in trainer.history.records) == [1, 1, 1, 1]


def test_more_workers_than_slots_take_turns(frame: DataFrame) -> None:
    trainer = DOWNPOUR(mlp(), num_workers=5, **arguments(num_epoch=1))
    trainer.train(frame, shuffle=True)
    assert trainer.report["rows_merged"] == ROWS
    assert {record.worker for record in trainer.history.records} == set(range(5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_workers": 0}, "num_workers is 0"),
        ({"num_workers": 2.0}, "num_workers is 2.0"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"num_epoch": True}, "num_epoch is True"),
        ({"communication_window": 0}, "communication_window is 0"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"memory_mb": 0}, "memory_mb is 0"),
        ({"timeout": float("inf")}, "timeout is inf"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**40}, "seed is 1099511627776"),
        ({"seed": "a"}, "seed is 'a'"),
    ],
)
def test_arguments_that_cannot_work_are_quoted(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ADAG(mlp(), **arguments(**changes))


def test_an_elastic_step_that_overshoots_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"rho \* learning_rate = 5.0 \* 0.3 = 1.5"):
        AEASGD(mlp(), learning_rate=0.3, **arguments())


def test_an_elastic_step_needs_a_learning_rate() -> None:
    with pytest.raises(ConfigError, match="learning_rate is None"):
        AEASGD(mlp(), learning_rate=None, **arguments())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": ["accurcy"]}, "Keras knows no metric 'accurcy'"),
        ({"metrics": "accuracy"}, "metrics is 'accuracy', but must be a list"),
        ({"loss": "ctc"}, "cannot be trained with this loss"),
    ],
)
def test_what_keras_would_refuse_on_a_worker_is_refused_before(
    frame: DataFrame, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        ADAG(mlp(), **arguments(**changes)).train(frame)
    assert "\n" not in str(caught.value)


def test_a_single_trainer_has_one_worker() -> None:
    with pytest.raises(ConfigError, match="num_workers is 2"):
        SingleTrainer(mlp(), num_workers=2, **arguments())


def test_fewer_rows_than_workers(frame: DataFrame) -> None:
    with pytest.raises(DataError, match="has 3 rows, fewer than num_workers=4"):
        ADAG(mlp(), num_workers=4, **arguments()).train(frame.limit(3))


def test_a_nan_in_the_features_ends_the_training(spark: SparkSession) -> None:
    frame = spark.sql("SELECT array(1f, float('nan'), 0f, 0f) AS features, 0 AS label")
    with pytest.raises(DataError, match="'features': row 0 holds nan at position 1"):
        ADAG(mlp(), num_workers=1, **arguments()).train(frame)


def test_a_loss_that_becomes_nan_ends_the_training_at_once(frame: DataFrame) -> None:
    wild = keras.optimizers.SGD(1e30)
    with pytest.raises(TrainingDiverged, match=r"at worker \d, epoch 0, window \d"):
        ADAG(mlp(1, "linear"), wild, "mse", [], num_epoch=1000, batch_size=16).train(frame)


class Broken(Trainer):
    """A rule that fails on a worker, in a way that nobody foresaw."""

    def _rule(self) -> Rule:
        def send(window: rules.Window) -> Any:
            raise KeyError("what nobody foresaw")

        return Rule("broken", send, rules.downpour().merge, rules.downpour().adopt)


def test_what_a_worker_raises_reaches_the_driver_with_its_traceback(frame: DataFrame) -> None:
    with pytest.raises(WorkerFailed, match=r"worker \d failed: KeyError: 'what nobody") as caught:
        Broken(mlp(), **arguments()).train(frame)
    assert "in send" in str(caught.value.__cause__)
    assert "\n" not in str(caught.value)


def test_training_works_again_after_a_failure(frame: DataFrame) -> None:
    with pytest.raises(WorkerFailed):
        Broken(mlp(), **arguments()).train(frame)
    trainer = DOWNPOUR(mlp(), **arguments(num_epoch=1))
    trainer.train(frame)
    assert trainer.report["rows_merged"] == ROWS
