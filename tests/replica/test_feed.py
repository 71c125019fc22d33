"""Models of several inputs and outputs, and weights: a replica against Keras' own ``fit``."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from distkeras.compilation import CompileArguments, compiled_copy, config_of
from distkeras.models import Port, inputs_of, outputs_of
from distkeras.replica import Replica, ReplicaSpec, travelling
from distkeras.replica.feed import Feed

BATCH, WINDOW = 8, 4
ROWS = BATCH * WINDOW


def pair(structure: str = "list") -> Any:
    """Inputs of numbers and of whole numbers; outputs of one number and of three classes."""
    keras.utils.set_random_seed(5)
    numbers = keras.Input((2, 2), name="numbers")
    words = keras.Input((3,), dtype="int32", name="words")
    parts = [keras.layers.Flatten()(numbers)]
    parts += [keras.layers.Flatten()(keras.layers.Embedding(9, 2)(words))]
    joint = keras.layers.Dense(5, "tanh")(keras.layers.Concatenate()(parts))
    kind = keras.layers.Dense(3, "softmax", name="kind")(joint)
    size = keras.layers.Dense(1, name="size")(joint)
    if structure == "dict":
        inputs = {"words": words, "numbers": numbers}
        return keras.Model(inputs, {"size": size, "kind": kind})
    return keras.Model([numbers, words], [size, kind])


def single(units: int = 3) -> Any:
    keras.utils.set_random_seed(5)
    activation = "softmax" if units > 1 else "sigmoid"
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation)])


def numbers_of(count: int = ROWS) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "numbers": rng.normal(size=(count, 4)).astype("f4"),
        # Spark often has whole numbers as floats.
        "words": rng.integers(0, 9, (count, 3)).astype("f4"),
        "size": rng.normal(size=count).astype("f4"),
        "kind": rng.integers(0, 3, count).astype("f4"),
        "weight": rng.uniform(0, 2, count).astype("f4"),
    }


def flat(model: Any) -> np.ndarray:
    return np.concatenate([v.numpy().ravel() for v in travelling(model)])


def replica_of(model: Any, **changes: Any) -> Replica:
    known = {"config": config_of(model), "batch_size": BATCH, "window": WINDOW, "jit": False}
    return Replica(ReplicaSpec(**{**known, **changes}))


@pytest.mark.parametrize(
    ("structure", "count", "jit", "arguments"),
    [
        ("list", ROWS, False, {"loss": ["mse", "sparse_categorical_crossentropy"]}),
        (
            "list",
            ROWS - 3,
            True,
            {
                "loss": {"kind": "sparse_categorical_crossentropy", "size": "mae"},
                "loss_weights": {"kind": 0.25, "size": 2},
                "metrics": {"kind": ["accuracy"]},
            },
        ),
        (
            "dict",
            ROWS,
            False,
            {
                "loss": {"kind": keras.losses.CategoricalCrossentropy(), "size": "mse"},
                "loss_weights": [0.5, 1.5],
                "metrics": [[], [keras.metrics.MeanAbsoluteError(name="off")]],
            },
        ),
    ],
)
def test_several_inputs_and_outputs_are_those_of_keras(
    structure: str, count: int, jit: bool, arguments: dict[str, Any]
) -> None:
    model = compiled_copy(pair(structure), CompileArguments("sgd", **arguments))
    data = numbers_of(count)
    names = [port.name for port in (*inputs_of(model), *outputs_of(model))]
    assert sorted(names) == ["kind", "numbers", "size", "words"]
    fixed = dict(zip(names, ("x0", "x1", "y0", "y1"), strict=True))
    mine = replica_of(model, jit=jit)
    rows = {fixed[name]: data[name] for name in names}
    trained = mine.run(flat(model), rows)

    x = {"numbers": data["numbers"].reshape(-1, 2, 2), "words": data["words"].astype(int)}
    classes = (
        data["kind"] if "sparse" in str(arguments["loss"]) else np.eye(3)[data["kind"].astype(int)]
    )
    y = {"size": data["size"], "kind": classes}
    goals = y if structure == "dict" else [y["size"], y["kind"]]
    logs = model.fit(x, goals, BATCH, shuffle=False, verbose=0).history
    np.testing.assert_allclose(trained.weights, flat(model), atol=1e-6)
    assert sorted(mine.metric_names) == sorted(logs)
    for name, found in zip(mine.metric_names, trained.metrics, strict=True):
        # In fit the last mini-batch counts as much as a full one here, whatever its size.
        if count == ROWS or not name.endswith("_loss"):
            assert found == pytest.approx(logs[name][0], rel=1e-5)


@pytest.mark.parametrize(
    ("units", "loss", "weighted", "class_weight"),
    [
        (3, "sparse_categorical_crossentropy", True, None),
        (3, "categorical_crossentropy", False, {0: 0.5, 2: 3.0}),
        (3, "sparse_categorical_crossentropy", True, {0: 0.5, 1: 2}),
        (1, "binary_crossentropy", False, {0: 0.25}),
    ],
)
def test_weights_of_rows_and_classes_are_those_of_keras(
    units: int, loss: str, weighted: bool, class_weight: dict[int, float] | None
) -> None:
    model = compiled_copy(single(units), CompileArguments("sgd", loss, ["accuracy"]))
    data = numbers_of()
    labels = np.minimum(data["kind"], max(units - 1, 1))
    mine = replica_of(model, weighted=weighted, class_weight=class_weight)
    trained = mine.run(flat(model), {"x0": data["numbers"], "y0": labels, "w": data["weight"]})

    goal = np.eye(3)[labels.astype(int)] if loss.startswith("categorical") else labels
    told: dict[str, Any] = {"sample_weight": data["weight"] if weighted else None}
    told["class_weight"] = class_weight
    if weighted and class_weight:  # Keras takes one of the two.
        classes = np.array([class_weight.get(int(label), 1.0) for label in labels])
        told = {"sample_weight": data["weight"] * classes}
    logs = model.fit(data["numbers"], goal, BATCH, shuffle=False, verbose=0, **told).history
    np.testing.assert_allclose(trained.weights, flat(model), atol=1e-6)
    expected = [logs[name][0] for name in mine.metric_names]
    np.testing.assert_allclose(trained.metrics, expected, rtol=1e-5)


def test_one_weight_a_row_counts_for_every_output() -> None:
    losses = ["mse", "sparse_categorical_crossentropy"]
    model = compiled_copy(pair(), CompileArguments("sgd", losses))
    data = numbers_of()
    names = ("numbers", "words", "size", "kind", "weight")
    rows = {
        fixed: data[name] for fixed, name in zip(("x0", "x1", "y0", "y1", "w"), names, strict=True)
    }
    trained = replica_of(model, weighted=True).run(flat(model), rows)
    x = [data["numbers"].reshape(-1, 2, 2), data["words"].astype(int)]
    weights = [data["weight"]] * 2
    goals = [data["size"], data["kind"]]
    model.fit(x, goals, BATCH, sample_weight=weights, shuffle=False, verbose=0)
    np.testing.assert_allclose(trained.weights, flat(model), atol=1e-6)


def test_large_whole_numbers_are_not_rounded_on_the_way() -> None:
    model = keras.Sequential([keras.Input((1,), dtype="int64"), keras.layers.Embedding(2, 1)])
    model.compile("sgd", "mse")
    (port,) = inputs_of(model)
    batch = Feed(model)({"x0": np.array([2**53 + 1]), "y0": np.zeros(1)})
    assert (port.rows, int(batch.x[0][0, 0])) == (np.int64, 2**53 + 1)
    assert Port("half", (1,), "bfloat16").rows == np.float32


def test_a_class_number_for_each_step_of_a_sequence() -> None:
    model = keras.Sequential([keras.Input((4, 2)), keras.layers.Dense(3, "softmax")])
    model = compiled_copy(model, CompileArguments("sgd", "sparse_categorical_crossentropy", []))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(ROWS, 8)).astype("f4"), rng.integers(0, 3, (ROWS, 4))
    trained = replica_of(model).run(flat(model), {"x0": x, "y0": y})
    model.fit(x.reshape(ROWS, 4, 2), y, BATCH, shuffle=False, verbose=0)
    np.testing.assert_allclose(trained.weights, flat(model), atol=1e-6)
