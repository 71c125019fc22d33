"""The module that dist-keras called ``utils``."""

from __future__ import annotations

import json

import numpy as np
import pytest

from distkeras import utils
from distkeras.errors import ConfigError
from distkeras.history import History
from distkeras.rules import downpour
from distkeras.server import ParameterServer, Update

keras = pytest.importorskip("keras")


def history() -> History:
    """Worker 0 has two windows, worker 2 has three; the loss is 10 * worker + window."""
    server = ParameterServer(np.zeros(2, np.float32), downpour(), ("loss", "accuracy"), 4)
    for worker, windows in ((0, 2), (2, 3)):
        server.join(worker, 0, 100)
        for window in range(windows):
            metrics = np.float32([10 * worker + window, window / 4])
            delta = np.zeros(2, np.float32)
            server.exchange(Update(worker, 0, 0, window, 10, metrics, delta, 0.0))
    return History(tuple(server.history), server.metrics)


def test_the_history_of_one_worker() -> None:
    found = utils.history_executor(history(), 2)
    assert [(record.worker, record.window) for record in found] == [(2, 0), (2, 1), (2, 2)]
    assert [record.metrics[0] for record in found] == [20, 21, 22]
    with pytest.raises(ConfigError, match=r"worker 1 has no windows; those of \[0, 2\] are there"):
        utils.history_executor(history(), 1)


def test_the_mean_over_the_workers_that_have_a_window() -> None:
    found = utils.history_executors_average(history())
    assert list(found) == ["window", "workers", "loss", "accuracy"]
    assert found["window"].tolist() == [0, 1, 2]
    assert found["workers"].tolist() == [2, 2, 1]
    assert found["loss"].tolist() == [10, 11, 22]
    assert found["accuracy"].tolist() == [0, 0.25, 0.5]


def test_the_mean_of_no_windows_has_the_same_names() -> None:
    found = utils.history_executors_average(History((), ("loss",)))
    assert {name: values.shape for name, values in found.items()} == {
        "window": (0,),
        "workers": (0,),
        "loss": (0,),
    }


def model() -> object:
    keras.utils.set_random_seed(3)
    layers = [keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    result = keras.Sequential(layers)
    result.compile("adam", "mse", metrics=["mae"])
    return result


def test_a_model_travels_as_arrays_and_as_json() -> None:
    before = model()
    value = utils.serialize_keras_model(before)
    rows = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    text = json.dumps({**value, "weights": [array.tolist() for array in value["weights"]]})
    for given in (value, json.loads(text)):
        after = utils.deserialize_keras_model(given)
        np.testing.assert_array_equal(
            after.predict(rows, verbose=0), before.predict(rows, verbose=0)
        )
        assert (after.loss, type(after.optimizer).__name__) == ("mse", "Adam")


class Half(keras.layers.Layer):
    def call(self, rows: object) -> object:
        return rows / 2


def test_custom_objects_are_given_by_name() -> None:
    value = utils.serialize_keras_model(keras.Sequential([keras.Input((4,)), Half()]))
    after = utils.deserialize_keras_model(value, {"Half": Half})
    assert after.predict(np.ones((1, 4)), verbose=0).tolist() == [[0.5] * 4]


def test_a_lambda_layer_is_refused() -> None:
    layers = [keras.Input((4,)), keras.layers.Lambda(lambda rows: rows)]
    value = utils.serialize_keras_model(keras.Sequential(layers))
    with pytest.raises(ValueError, match=r"[Ll]ambda"):
        utils.deserialize_keras_model(value)


@pytest.mark.parametrize(
    ("value", "shown"), [({"model": "{}"}, r"is \['model'\]"), (b"bytes", "is bytes")]
)
def test_what_is_no_serialized_model(value: object, shown: str) -> None:
    with pytest.raises(ConfigError, match=f"'model' and 'weights', {shown}"):
        utils.deserialize_keras_model(value)


def test_shuffle_keeps_the_rows_and_draws_their_order(spark) -> None:
    frame = spark.range(0, 500, numPartitions=3)

    def order(seed: int | None) -> list[int]:
        return [row[0] for row in utils.shuffle(frame, seed).collect()]

    first, other = order(1), order(2)
    assert sorted(first) == sorted(other) == list(range(500))
    assert first == order(1)
    assert first != other
    assert order(None) != sorted(first)
    with pytest.raises(ConfigError, match="seed must be a whole number, not 'x'"):
        utils.shuffle(frame, "x")


def test_precache_computes_the_rows_now(spark) -> None:
    seen = spark.sparkContext.accumulator(0)

    def count(batches: object) -> object:
        for batch in batches:
            seen.add(batch.num_rows)
            yield batch

    frame = spark.range(0, 30, numPartitions=2).mapInArrow(count, "id bigint")
    cached = utils.precache(frame, num_workers=4)
    assert cached.is_cached
    assert cached.rdd.getNumPartitions() == 4
    assert seen.value == 30
    assert sorted(row[0] for row in cached.collect()) == list(range(30))
    assert seen.value == 30
    cached.unpersist()
    assert utils.precache(spark.range(5)).count() == 5
    with pytest.raises(ConfigError, match="num_workers must be at least 1, not 0"):
        utils.precache(frame, 0)
