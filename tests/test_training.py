"""What a trainer makes of several columns and weights, in a real Spark, against Keras' ``fit``."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from distkeras.errors import ConfigError, DataError
from distkeras.trainers import DOWNPOUR, SingleTrainer

ROWS = 40


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {
        "numbers": rng.normal(size=(ROWS, 3)),
        "words": rng.integers(0, 9, (ROWS, 2)).astype("f8"),
        "size": rng.normal(size=ROWS),
        "kind": rng.integers(0, 3, ROWS),
        "weight": rng.uniform(0, 2, ROWS),
    }


@pytest.fixture(scope="module")
def frame(spark: SparkSession, data: dict[str, np.ndarray]) -> DataFrame:
    columns = [values.tolist() for values in data.values()]
    rows = [(Vectors.dense(numbers), *others) for numbers, *others in zip(*columns, strict=True)]
    return spark.createDataFrame(rows, list(data)).cache()


def pair() -> Any:
    keras.utils.set_random_seed(1)
    numbers, words = keras.Input((3,)), keras.Input((2,), dtype="int32")
    embedded = keras.layers.Flatten()(keras.layers.Embedding(9, 2)(words))
    joint = keras.layers.Concatenate()([numbers, embedded])
    kind = keras.layers.Dense(3, "softmax", name="kind")(joint)
    return keras.Model([numbers, words], [keras.layers.Dense(1, name="size")(joint), kind])


def arguments(**changes: Any) -> dict[str, Any]:
    known = {
        "worker_optimizer": keras.optimizers.SGD(0.5),
        "loss": ["mse", "sparse_categorical_crossentropy"],
        "features_col": ["numbers", "words"],
        "label_col": ["size", "kind"],
        "batch_size": ROWS,
    }
    return {**known, **changes}


def test_several_columns_and_weights_are_those_of_keras(
    frame: DataFrame, data: dict[str, np.ndarray]
) -> None:
    """One mini-batch of all rows, so their order does not matter."""
    model = pair()
    told = arguments(sample_weight_col="weight", loss_weights={"size": 0.5, "kind": 2})
    trainer = SingleTrainer(model, metrics={"kind": ["accuracy"]}, **told)
    trained = trainer.train(frame)
    model.compile(keras.optimizers.SGD(0.5), told["loss"], loss_weights=[0.5, 2.0])
    x, y = [data["numbers"], data["words"]], [data["size"], data["kind"]]
    model.fit(x, y, ROWS, sample_weight=[data["weight"]] * 2, shuffle=False, verbose=0)
    for mine, theirs in zip(trained.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    assert trainer.history.metrics == ("loss", "kind_accuracy", "size_loss", "kind_loss")


def test_a_schedule_follows_all_workers_and_comes_back(frame: DataFrame) -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(inputs))
    # From the second mini-batch in the center on nothing moves any more.
    steps = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 0.0])
    optimizer = keras.optimizers.SGD(steps)
    trained = SingleTrainer(
        model,
        optimizer,
        "mse",
        features_col="numbers",
        label_col="size",
        metrics=[],
        batch_size=ROWS,
        num_epoch=3,
        communication_window=1,
    ).train(frame)
    before = model.get_weights()[0]
    model.compile(keras.optimizers.SGD(0.5), "mse")
    rows = frame.toPandas()
    model.train_on_batch(np.stack(rows["numbers"].map(lambda row: row.toArray())), rows["size"])
    assert not np.array_equal(before, model.get_weights()[0])
    np.testing.assert_allclose(trained.get_weights()[0], model.get_weights()[0], atol=1e-6)
    assert type(trained.optimizer._learning_rate) is type(steps)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"features_col": "numbers"}, ConfigError, "features_col names 1 columns .*has 2 inputs"),
        ({"label_col": ["size", "kinds"]}, ConfigError, "no column 'kinds'; did you mean 'kind'"),
        ({"label_col": 3}, ConfigError, "label_col is 3, but must be a name or a list of names"),
        ({"features_col": ["numbers", "numbers"]}, DataError, "'numbers'.* 3 features.* takes 2"),
        ({"label_col": ["kind", "size"]}, DataError, "'size' has labels from .* 0 to 2"),
        ({"sample_weight_col": "wait"}, ConfigError, "sample_weight_col: the data has no column"),
        ({"sample_weight_col": "words"}, DataError, "'words' holds arrays, but a row's weight"),
        ({"sample_weight_col": "size"}, DataError, "'size': a row has the weight -.*, not 0"),
        ({"class_weight": {0: 2.0}}, ConfigError, "class_weight: .* has 2 outputs"),
        ({"loss_weights": [1.0]}, ConfigError, "loss_weights has 1 entries"),
    ],
)
def test_bad_arguments_get_one_line_before_any_worker_starts(
    frame: DataFrame, changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    trainer = DOWNPOUR(pair(), metrics=[], **arguments(**changes))
    with pytest.raises(kind, match=message) as caught:
        trainer.train(frame)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ("double('nan')", "'w': a row has the weight nan, not 0 or more"),
        ("if(kind = 0, null, 1)", "'w' is null in"),
        ("0", "'w': every row has the weight 0"),
    ],
)
def test_weights_that_are_none(frame: DataFrame, weight: str, message: str) -> None:
    weighted = frame.withColumn("w", F.expr(weight))
    trainer = DOWNPOUR(pair(), metrics=[], **arguments(sample_weight_col="w"))
    with pytest.raises(DataError, match=message):
        trainer.train(weighted)
