from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import pytest

from distkeras.errors import ConfigError
from distkeras.replica import Replica, ReplicaSpec, travelling

BATCH, WINDOW = 8, 4


def mlp(*extra: Any, optimizer: Any = "sgd") -> Any:
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(6, "tanh"), *extra, keras.layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((5,)), *layers])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def spec_of(model: Any, **changes: Any) -> ReplicaSpec:
    config = json.dumps(keras.saving.serialize_keras_object(model))
    return ReplicaSpec(**{"config": config, "batch_size": BATCH, "window": WINDOW, **changes})


def flat(model: Any) -> np.ndarray:
    return np.concatenate([v.numpy().ravel() for v in travelling(model)])


def rows_of(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 5)).astype("f4")
    return {"x0": x, "y0": rng.integers(0, 3, count)}


def fit(model: Any, rows: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """What Keras itself does with the same rows in the same order."""
    history = model.fit(rows["x0"], rows["y0"], batch_size=BATCH, shuffle=False, verbose=0)
    return dict(history.history)


@pytest.mark.parametrize(
    ("optimizer", "count", "jit"),
    [
        ("sgd", BATCH * WINDOW, True),
        ("adam", BATCH * 3 + 5, True),
        ("adagrad", BATCH * 3 + 5, False),
        ("sgd", BATCH * 2, False),
        ("adam", 3, False),
    ],
)
def test_a_window_is_what_keras_does_batch_by_batch(optimizer: str, count: int, jit: bool) -> None:
    model, rows = mlp(optimizer=optimizer), rows_of(count)
    trained = Replica(spec_of(model, jit=jit)).run(flat(model), rows)
    logs = fit(model, rows)
    np.testing.assert_allclose(trained.weights, flat(model), atol=2e-6)
    np.testing.assert_allclose(trained.metrics, [logs["loss"][0], logs["accuracy"][0]], atol=2e-6)


def test_the_optimizer_keeps_its_state_from_window_to_window() -> None:
    model = mlp(optimizer="adam")
    mine = Replica(spec_of(model, jit=False))
    weights = flat(model)
    for seed in range(3):
        weights = mine.run(weights, rows_of(BATCH * WINDOW, seed)).weights
        fit(model, rows_of(BATCH * WINDOW, seed))
    np.testing.assert_allclose(weights, flat(model), atol=5e-6)


def test_the_inputs_of_a_window_are_not_changed() -> None:
    model = mlp()
    weights, rows = flat(model), rows_of(BATCH)
    kept = weights.copy(), rows["x0"].copy()
    Replica(spec_of(model, jit=False)).run(weights, rows)
    np.testing.assert_array_equal(weights, kept[0])
    np.testing.assert_array_equal(rows["x0"], kept[1])


def test_reset_makes_it_as_new_dropout_and_all() -> None:
    model = mlp(keras.layers.Dropout(0.5), optimizer="adam")
    mine = Replica(spec_of(model))
    runs = {}
    for seed in (1, 1, 2):
        mine.reset(seed)
        first = mine.run(flat(model), rows_of(BATCH * WINDOW)).weights
        weights = mine.run(first, rows_of(BATCH * WINDOW)).weights
        if seed in runs:
            np.testing.assert_array_equal(weights, runs[seed])
        runs[seed] = weights
    assert not np.array_equal(runs[1], runs[2])


def test_two_workers_can_share_one_replica_by_snapshots() -> None:
    model = mlp(keras.layers.Dropout(0.5), optimizer="adam")
    seeds, windows = (1, 2), range(3)
    apart = {}
    for seed in seeds:
        own = Replica(spec_of(model))
        own.reset(seed)
        trained = own.run(flat(model), rows_of(BATCH * WINDOW, seed))
        for _ in windows:
            trained = own.run(trained.weights, rows_of(BATCH * 2 + 3, seed))
        apart[seed] = (*trained, *own.snapshot())

    shared, kept, weights = Replica(spec_of(model)), {}, {}
    for seed in seeds:
        shared.reset(seed)
        weights[seed] = shared.run(flat(model), rows_of(BATCH * WINDOW, seed))
        kept[seed] = shared.snapshot()
    for _ in windows:
        for seed in seeds:
            shared.restore(kept[seed])
            weights[seed] = shared.run(weights[seed].weights, rows_of(BATCH * 2 + 3, seed))
            kept[seed] = shared.snapshot()
    for seed in seeds:
        for mine, theirs in zip((*weights[seed], *kept[seed]), apart[seed], strict=True):
            np.testing.assert_array_equal(mine, theirs)


class Traced(keras.layers.Layer):  # type: ignore[misc]
    calls = 0

    def call(self, x: Any) -> Any:
        Traced.calls += 1
        return x


def test_windows_of_every_length_need_one_trace_and_a_partial_batch_one_more() -> None:
    model = mlp(Traced())
    mine = Replica(spec_of(model, custom_objects={"Traced": Traced}))
    weights, traces = flat(model), []
    for count in (BATCH * WINDOW, BATCH, BATCH * 3, BATCH * 2 + 3, 3, BATCH * WINDOW):
        before = Traced.calls
        weights = mine.run(weights, rows_of(count)).weights
        traces.append(Traced.calls > before)
    assert traces == [True, False, False, True, False, False]


def test_batch_normalization_statistics_travel_and_random_state_does_not() -> None:
    model = mlp(keras.layers.BatchNormalization(), keras.layers.Dropout(0.1))
    paths = [variable.path for variable in travelling(model)]
    assert any("moving_mean" in path for path in paths)
    assert not any("seed" in path for path in paths)
    before = flat(model)
    after = Replica(spec_of(model)).run(before, rows_of(BATCH)).weights
    start = sum(v.numpy().size for v in travelling(model)[:4])
    assert not np.array_equal(before[start : start + 6], after[start : start + 6])


def test_labels_become_what_the_loss_expects() -> None:
    rows = rows_of(BATCH * WINDOW)
    sparse = mlp()
    expected = Replica(spec_of(sparse, jit=False)).run(flat(sparse), rows)
    categorical = mlp()
    categorical.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    found = Replica(spec_of(categorical, jit=False)).run(flat(categorical), rows)
    np.testing.assert_allclose(found.weights, expected.weights, atol=1e-6)
    np.testing.assert_allclose(found.metrics, expected.metrics, atol=1e-6)


def test_flat_features_take_the_shape_of_the_input() -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()]
    )
    model.add(keras.layers.Dense(1))
    model.compile("sgd", "mse", metrics=[])
    x = np.random.default_rng(0).normal(size=(BATCH, 16)).astype("f4")
    y = x.sum(1)
    trained = Replica(spec_of(model)).run(flat(model), {"x0": x, "y0": y})
    model.train_on_batch(x.reshape(BATCH, 4, 4, 1), y[:, None])
    np.testing.assert_allclose(trained.weights, flat(model), atol=1e-6)


def test_a_model_that_xla_cannot_compile_falls_back_to_tensorflow() -> None:
    import tensorflow as tf

    class Strings(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * tf.strings.to_number(tf.strings.as_string(tf.reduce_sum(x * 0) + 1.0))

    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1), Strings()])
    model.compile("sgd", "mse", metrics=[])
    spec = spec_of(model, custom_objects={"Strings": Strings})
    rows = rows_of(BATCH)
    assert np.isfinite(Replica(spec).run(flat(model), rows).metrics[0])


class Doubled(keras.Model):  # type: ignore[misc]
    def train_step(self, data: Any) -> Any:
        super().train_step(data)
        return super().train_step(data)


def test_a_model_with_its_own_train_step_trains_by_it() -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5,))
    model = Doubled(inputs, keras.layers.Dense(1)(inputs))
    model.compile(keras.optimizers.SGD(0.01), "mse", metrics=[])
    rows = {**rows_of(BATCH), "y0": np.ones(BATCH, "f4")}
    spec = spec_of(model, custom_objects={"Doubled": Doubled}, jit=False)
    trained = Replica(spec).run(flat(model), rows).weights
    model.train_on_batch(rows["x0"], rows["y0"][:, None])
    np.testing.assert_allclose(trained, flat(model), atol=1e-6)


def test_a_lambda_layer_is_refused() -> None:
    model = keras.Sequential([keras.Input((5,)), keras.layers.Lambda(lambda x: x * 2)])
    model.add(keras.layers.Dense(1))
    model.compile("sgd", "mse")
    with pytest.raises(ConfigError, match="ambda"):
        Replica(spec_of(model))
