"""Several Keras models as one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from distkeras.ensembles import average, vote
from distkeras.errors import ConfigError
from distkeras.models import build, to_blueprint
from distkeras.predictors import ModelPredictor

keras = pytest.importorskip("keras")
FEATURES = np.random.default_rng(5).normal(size=(200, 4)).astype(np.float32)


def members(outputs: int = 3, activation: str = "softmax", count: int = 3) -> list[object]:
    keras.utils.set_random_seed(11)
    models = []
    for _ in range(count):
        layers = [
            keras.Input((4,)),
            keras.layers.Dense(6, activation="tanh"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(outputs, activation=activation),
        ]
        models.append(keras.Sequential(layers, name="same_name"))
    return models


def outputs_of(models: list[object]) -> np.ndarray:
    return np.stack([model.predict(FEATURES, verbose=0) for model in models])


def votes(models: list[object]) -> np.ndarray:
    outputs = outputs_of(models)
    if outputs.shape[-1] == 1:
        return (outputs >= 0.5).mean(axis=0)
    return np.eye(outputs.shape[-1])[outputs.argmax(axis=-1)].mean(axis=0)


def means(models: list[object]) -> np.ndarray:
    return outputs_of(models).mean(axis=0)


COMBINED = [(average, means), (vote, votes)]


@pytest.mark.parametrize(("outputs", "activation"), [(3, "softmax"), (1, "sigmoid")])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(("combine", "expected"), COMBINED)
def test_the_outputs_are_combined(
    combine: Callable, expected: Callable, count: int, outputs: int, activation: str
) -> None:
    models = members(outputs, activation, count)
    result = combine(models).predict(FEATURES, verbose=0)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected(models), atol=1e-6)


def constant(*outputs: float) -> object:
    layer = keras.layers.Dense(len(outputs), kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((4,)), layer])
    layer.bias.assign(outputs)
    return model


def test_votes_by_hand() -> None:
    # Two vote for the last class; the mean would be for the first.
    models = [constant(9.0, 0.0, 1.0), constant(0.0, 0.4, 0.6), constant(0.2, 0.3, 0.5)]
    np.testing.assert_allclose(
        vote(models).predict(FEATURES[:1], verbose=0), [[1 / 3, 0, 2 / 3]], atol=1e-6
    )
    np.testing.assert_allclose(
        average(models).predict(FEATURES[:1], verbose=0), [[9.2 / 3, 0.7 / 3, 2.1 / 3]], atol=1e-6
    )


def test_ties_fall_to_the_first_class_and_a_half_is_a_vote_for_the_second() -> None:
    tied = vote([constant(0.5, 0.5), constant(0.0, 1.0)]).predict(FEATURES[:1], verbose=0)
    assert tied.tolist() == [[0.5, 0.5]]
    assert tied.argmax() == 0
    halves = vote([constant(0.5), constant(0.49)]).predict(FEATURES[:1], verbose=0)
    assert halves.tolist() == [[0.5]]


@pytest.mark.parametrize(("combine", "expected"), COMBINED)
def test_the_weights_are_copies(combine: Callable, expected: Callable) -> None:
    models = members()
    result = combine(models)
    before = expected(models)
    for model in models:
        model.set_weights([weights * 0 for weights in model.get_weights()])
    np.testing.assert_allclose(result.predict(FEATURES, verbose=0), before, atol=1e-6)
    assert [model.name for model in models] == ["same_name"] * 3


@pytest.mark.parametrize(("outputs", "activation"), [(3, "softmax"), (1, "sigmoid")])
@pytest.mark.parametrize(("combine", "expected"), COMBINED)
def test_it_is_saved_loaded_and_sent_in_safe_mode(
    tmp_path: Path, combine: Callable, expected: Callable, outputs: int, activation: str
) -> None:
    models = members(outputs, activation)
    result = combine(models)
    result.save(tmp_path / "ensemble.keras")
    loaded = keras.saving.load_model(tmp_path / "ensemble.keras", safe_mode=True)
    for copy in (loaded, build(to_blueprint(result))):
        np.testing.assert_allclose(copy.predict(FEATURES, verbose=0), expected(models), atol=1e-6)


def test_a_compiled_member_and_an_ensemble_of_ensembles() -> None:
    models = members()
    models[0].compile("adam", "categorical_crossentropy")
    again = average([vote(models), average(models)])
    np.testing.assert_allclose(
        again.predict(FEATURES, verbose=0), (votes(models) + means(models)) / 2, atol=1e-6
    )


def two_by_two() -> object:
    left, right = keras.Input((4,), name="left"), keras.Input((2,), name="right")
    both = keras.layers.Concatenate()([left, right])
    classes = keras.layers.Dense(3, activation="softmax")(both)
    quantity = keras.layers.Dense(1)(both)
    return keras.Model({"left": left, "right": right}, {"a/class": classes, "left": quantity})


def test_several_inputs_and_outputs_keep_their_names(tmp_path: Path) -> None:
    keras.utils.set_random_seed(2)
    models = [two_by_two(), two_by_two()]
    rows = {"left": FEATURES, "right": FEATURES[:, 2:]}
    result = average(models)
    result.save(tmp_path / "both.keras")
    outputs = [model.predict(rows, verbose=0) for model in models]
    for model in (result, keras.saving.load_model(tmp_path / "both.keras", safe_mode=True)):
        found = model.predict(rows, verbose=0)
        assert found.keys() == {"a/class", "left"}
        for name, values in found.items():
            np.testing.assert_allclose(values, (outputs[0][name] + outputs[1][name]) / 2, atol=1e-6)


def test_spark_predicts_with_it(spark) -> None:
    models = members()
    frame = spark.createDataFrame([(row.tolist(),) for row in FEATURES], ["features"]).coalesce(1)
    for combine, expected in COMBINED:
        rows = ModelPredictor(combine(models)).predict(frame).select("prediction").collect()
        np.testing.assert_allclose([row[0] for row in rows], expected(models), atol=1e-5)


class Twice(keras.layers.Layer):
    def call(self, rows: object) -> object:
        return 2 * rows


def test_custom_objects_are_given_by_name() -> None:
    model = keras.Sequential([keras.Input((4,)), Twice()])
    result = average([model, model], {"Twice": Twice})
    np.testing.assert_allclose(result.predict(FEATURES, verbose=0), 2 * FEATURES, rtol=1e-6)


@pytest.mark.parametrize("combine", [average, vote])
@pytest.mark.parametrize(
    ("models", "message"),
    [
        (lambda: [], "models: there is no model"),
        (lambda: members()[0], "models: is Sequential, not a list"),
        (lambda: [members()[0], "x"], r"models\[1\]: is str, not a keras.Model"),
        (
            lambda: [members()[0], members(2)[0]],
            r"models\[1\]: its output has shape \(None, 2\), that of models\[0\] \(None, 3\)",
        ),
        (
            lambda: [
                members()[0],
                keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]),
            ],
            r"models\[1\]: its input has shape \(None, 5\), that of models\[0\] \(None, 4\)",
        ),
    ],
)
def test_what_cannot_be_combined(combine: Callable, models: Callable, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        combine(models())
    assert "\n" not in str(caught.value)
