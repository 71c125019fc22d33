"""Predictions in Spark against ``model.predict`` and ``model.evaluate`` on the same rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from distkeras.errors import ConfigError, DataError
from distkeras.losses import check_travels, row_loss, targets
from distkeras.models import to_blueprint
from distkeras.predictors import ModelPredictor
from distkeras.scoring import Scoring, digest, score
from distkeras.worker_errors import unwrapped

keras = pytest.importorskip("keras")
ROWS = 61


def network(outputs: int = 3, activation: str = "softmax", **compiled: object) -> object:
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, activation="relu", kernel_regularizer="l2"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(outputs, activation=activation),
        ]
    )
    if compiled:
        model.compile("sgd", **compiled)
    return model


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(ROWS, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def frame(spark, features):
    from pyspark.ml.linalg import Vectors

    rows = [
        (number, row, Vectors.dense(row), row[0], f"text {number}", number % 3)
        for number, row in enumerate(features.tolist())
    ]
    names = ["row", "features", "vector", "single", "with.dot", "label"]
    return spark.createDataFrame(rows, names).repartition(3, "row").cache()


def predicted(frame, column: str = "prediction") -> np.ndarray:
    rows = sorted(frame.select("row", column).collect())
    return np.array([row[1] for row in rows])


def test_predictions_are_those_of_keras_and_every_column_stays(frame, features) -> None:
    model = network()
    result = ModelPredictor(model, batch_size=8).predict(frame)
    assert result.columns == [*frame.columns, "prediction"]
    assert result.schema["prediction"].dataType.simpleString() == "array<float>"
    np.testing.assert_allclose(
        predicted(result), model.predict(features, verbose=0), rtol=1e-5, atol=1e-6
    )
    kept = result.orderBy("row").first()
    assert kept["with.dot"] == "text 0"
    assert kept["vector"].toArray().tolist() == kept["features"]


def test_only_what_is_kept_comes_back_in_that_order(frame, features) -> None:
    model = network(loss="sparse_categorical_crossentropy")
    predictor = ModelPredictor(model, "vector", loss_col="loss")
    result = predictor.predict(frame, keep=["with.dot", "row"])
    assert result.columns == ["with.dot", "row", "prediction", "loss"]
    first = result.orderBy("row").first()
    assert first["with.dot"] == "text 0"
    expected = model.predict(features, verbose=0)
    np.testing.assert_allclose(first["prediction"], expected[0], rtol=1e-5, atol=1e-6)
    assert predictor.predict(frame, keep=[]).columns == ["prediction", "loss"]
    assert predictor.predict(frame, keep=[]).count() == len(features)


def test_a_column_to_keep_that_is_not_there(frame) -> None:
    with pytest.raises(ConfigError, match="keep: the data has no column 'lable'; did you mean"):
        ModelPredictor(network()).predict(frame, keep=["lable"])


def test_vectors_and_plain_numbers(frame, features) -> None:
    model = network()
    vectors = ModelPredictor(model, "vector", "scores").transform(frame)
    assert vectors.columns == [*frame.columns, "scores"]
    np.testing.assert_allclose(
        predicted(vectors, "scores"), model.predict(features, verbose=0), rtol=1e-5, atol=1e-6
    )
    one = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    np.testing.assert_allclose(
        predicted(ModelPredictor(one, "single").predict(frame)),
        one.predict(features[:, :1], verbose=0),
        atol=1e-6,
    )


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_loss_that_workers_do_not_know_does_not_matter_for_predictions(frame) -> None:
    model = network(loss=lambda goal, output: goal - output)
    assert ModelPredictor(model).predict(frame).count() == ROWS


def test_a_second_job_with_new_weights_uses_them(frame, features) -> None:
    model = network()
    predictor = ModelPredictor(model)
    predictor.predict(frame).collect()
    model.set_weights([weights + 0.1 for weights in model.get_weights()])
    np.testing.assert_allclose(
        predicted(predictor.predict(frame)),
        model.predict(features, verbose=0),
        rtol=1e-5,
        atol=1e-6,
    )


def test_empty_partitions_and_no_rows_at_all(spark, frame) -> None:
    few = frame.limit(2).repartition(5)
    assert ModelPredictor(network()).predict(few).count() == 2
    assert ModelPredictor(network()).predict(frame.where("row < 0")).collect() == []


@keras.saving.register_keras_serializable("tests")
def scalar_loss(goal: object, output: object) -> object:
    return keras.ops.mean((goal - output) ** 2)


LOSSES = [
    (3, "softmax", "categorical_crossentropy"),
    (3, "softmax", "sparse_categorical_crossentropy"),
    (3, None, keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)),
    (3, "sigmoid", "binary_crossentropy"),
    (3, "softmax", "binary_crossentropy"),
    (3, "softmax", scalar_loss),
    (1, "sigmoid", "binary_crossentropy"),
    (1, None, "mse"),
    (1, None, keras.losses.Huber()),
    (1, None, "huber"),
]


@pytest.mark.parametrize(("outputs", "activation", "loss"), LOSSES)
def test_the_mean_loss_is_that_of_evaluate(
    features: np.ndarray, outputs: int, activation: str | None, loss: object
) -> None:
    model = network(outputs, activation, loss=loss)
    labels = np.arange(ROWS) % (3 if outputs == 3 else 2)
    goal = labels if "sparse" in str(loss) else np.eye(3)[labels]
    expected = model.evaluate(features, labels if outputs == 1 else goal, verbose=0)
    batch = arrow(features, label=pa.array(labels))
    (result,) = score([batch], scoring(model, loss_col="loss", batch_size=8))
    assert result.schema.names == ["features", "label", "prediction", "loss"]
    assert np.mean(result["loss"].to_pylist()) == pytest.approx(expected, abs=1e-5)


def test_the_loss_of_saturated_outputs_is_that_of_evaluate(features: np.ndarray) -> None:
    model = network(loss="categorical_crossentropy")
    model.set_weights([weights * 30 for weights in model.get_weights()])
    labels = np.arange(ROWS) % 3
    expected = model.evaluate(features, np.eye(3)[labels], verbose=0)
    batch = arrow(features, label=pa.array(labels))
    (result,) = score([batch], scoring(model, loss_col="loss"))
    assert np.mean(result["loss"].to_pylist()) == pytest.approx(expected, rel=1e-6)


def test_the_loss_in_spark(frame, features) -> None:
    model = network(loss="categorical_crossentropy")
    goal = keras.utils.to_categorical(np.arange(ROWS) % 3)
    result = ModelPredictor(model, loss_col="loss").predict(frame)
    expected = model.evaluate(features, goal, verbose=0)
    assert result.agg({"loss": "avg"}).first()[0] == pytest.approx(expected, abs=1e-5)


def test_image_and_integer_inputs(features: np.ndarray) -> None:
    image = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Conv2D(3, 2), keras.layers.Flatten()]
    )
    (result,) = score([arrow(features)], scoring(image))
    np.testing.assert_allclose(
        result["prediction"].to_pylist(),
        image.predict(features.reshape(-1, 2, 2, 1), verbose=0),
        atol=1e-6,
    )
    words = keras.Sequential(
        [keras.Input((4,), dtype="int32"), keras.layers.Embedding(9, 2), keras.layers.Flatten()]
    )
    numbers = np.arange(8).reshape(2, 4)
    (result,) = score([arrow(numbers)], scoring(words))
    np.testing.assert_allclose(
        result["prediction"].to_pylist(), words.predict(numbers, verbose=0), atol=1e-6
    )
    with pytest.raises(DataError, match="not a whole number"):
        list(score([arrow(numbers + 0.5)], scoring(words)))


def test_half_precision_comes_out_as_float32(features: np.ndarray) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, dtype="mixed_bfloat16")])
    (result,) = score([arrow(features)], scoring(model))
    assert result.schema.field("prediction").type == pa.list_(pa.float32())
    expected = np.asarray(model.predict(features, verbose=0), np.float32)
    np.testing.assert_allclose(result["prediction"].to_pylist(), expected, rtol=1e-2)


def scoring(model: object, **changes: object) -> Scoring:
    blueprint = to_blueprint(model)
    known = {
        "features_cols": ("features",),
        "output_cols": ("prediction",),
        "batch_size": 16,
    }
    return Scoring(blueprint=blueprint, digest=digest(blueprint), **{**known, **changes})


def arrow(features: np.ndarray, **more: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"features": pa.array(features.tolist()), **more})


def test_batches_of_any_size_keep_their_rows(features: np.ndarray) -> None:
    model = network()
    whole = arrow(features)
    parts = [whole.slice(0, 17), whole.slice(17, 0), whole.slice(17)]
    results = list(score(parts, scoring(model)))
    assert [part.num_rows for part in results] == [17, 0, ROWS - 17]
    found = np.concatenate(
        [np.array(part["prediction"].to_pylist()).reshape(-1, 3) for part in results]
    )
    np.testing.assert_allclose(found, model.predict(features, verbose=0), rtol=1e-5, atol=1e-6)


def test_the_digest_tells_weights_and_architectures_apart() -> None:
    model = network()
    before = digest(to_blueprint(model))
    assert digest(to_blueprint(model)) == before
    assert digest(to_blueprint(network(2))) != before
    model.set_weights([weights + 1 for weights in model.get_weights()])
    assert digest(to_blueprint(model)) != before


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1, 2, 3, 4], None], "column 'features': row 5 is null"),
        ([[1, 2, 3, 4], [1, 2, np.nan, 4]], "column 'features': row 5 holds nan at position 2"),
        ([[1, 2, 3]], "column 'features' has 3 numbers a row, the model takes 4"),
        ([1.5], "column 'features' has 1 numbers a row, the model takes 4"),
    ],
)
def test_bad_features_get_one_line(values: list[object], message: str) -> None:
    good = arrow(np.ones((4, 4)))
    bad = pa.RecordBatch.from_pydict({"features": pa.array(values)})
    with pytest.raises(DataError) as caught:
        list(score([good, bad], scoring(network())))
    assert str(caught.value) == message


def test_a_bad_row_in_spark_is_one_line_with_its_partition(frame) -> None:
    from pyspark.sql import functions

    bad = frame.repartition(1).withColumn(
        "features", functions.when(functions.col("row") != 9, functions.col("features"))
    )
    with pytest.raises(DataError) as caught, unwrapped():
        ModelPredictor(network()).predict(bad).collect()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("partition 0, column 'features': row ")
    assert str(caught.value).endswith(" is null")


def test_labels_as_targets() -> None:
    np.testing.assert_array_equal(
        targets(np.array([2, 0]), 3, "categorical_crossentropy", "label"), [[0, 0, 1], [1, 0, 0]]
    )
    np.testing.assert_array_equal(targets(np.array([2, 0]), 3, "sparse_loss", "label"), [2, 0])
    np.testing.assert_array_equal(targets(np.array([0.5, 2]), 1, "mse", "label"), [[0.5], [2]])
    pairs = np.ones((2, 3))
    assert targets(pairs, 3, "mse", "label") is not None
    message = r"column 'y': row 8 holds 3, which is no class of a model with 3 outputs \(0 to 2\)"
    with pytest.raises(DataError, match=message):
        targets(np.array([0, 3]), 3, "categorical_crossentropy", "y", first_row=7)
    with pytest.raises(DataError, match="column 'y' has 3 numbers a row, the model gives 2"):
        targets(pairs, 2, "mse", "y")


def test_losses_that_have_no_value_per_row() -> None:
    with pytest.raises(ConfigError, match="the model has 2 losses"):
        row_loss(["mse", "mae"])
    with pytest.raises(ConfigError, match="reduction 'sum' has no loss per row"):
        row_loss(keras.losses.MeanSquaredError(reduction="sum"))
    assert row_loss(None) == (None, "")


def test_a_loss_that_keras_would_change_on_the_way_to_a_worker() -> None:
    check_travels("mse")
    check_travels(keras.losses.Huber())
    check_travels(keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
    with pytest.raises(ConfigError, match=r"does not save delta=0\.4 of Huber"):
        check_travels(keras.losses.Huber(delta=0.4))


def pair() -> object:
    """Inputs of two widths, the second of whole numbers; outputs of two widths."""
    keras.utils.set_random_seed(7)
    left, right = keras.Input((4,), name="left"), keras.Input((1,), name="right", dtype="int64")
    words = keras.layers.Flatten()(keras.layers.Embedding(61, 2)(right))
    both = keras.layers.Concatenate(name="both")([left, words])
    return keras.Model([left, right], [keras.layers.Dense(1, name="sum")(both), both], name="pair")


@pytest.mark.parametrize(
    ("output_col", "columns"),
    [("prediction", ["prediction_sum", "prediction_both"]), (["a", "b"], ["a", "b"])],
)
def test_several_inputs_and_outputs(
    frame, features, output_col: object, columns: list[str]
) -> None:
    model = pair()
    # One input is an ML vector.
    result = ModelPredictor(model, ["vector", "row"], output_col, batch_size=8).predict(frame)
    assert result.columns == [*frame.columns, *columns]
    expected = model.predict([features, np.arange(ROWS)[:, None]], verbose=0)
    for column, values in zip(columns, expected, strict=True):
        np.testing.assert_allclose(predicted(result, column), values, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (network, {"batch_size": 0}, "batch_size must be a whole number above 0, not 0"),
        (network, {"batch_size": True}, "batch_size must be a whole number above 0, not True"),
        (network, {"loss_col": "loss"}, "loss_col 'loss': the model is not compiled with a loss"),
        (
            pair,
            {},
            "features_col names 1 columns (features), but 'pair' has 2 inputs (left, right)",
        ),
        (
            pair,
            {"features_col": ["features", "single"], "output_col": ["a", "b", "c"]},
            "output_col names 3 columns (a, b, c), but 'pair' has 2 outputs (sum, both)",
        ),
        (
            pair,
            {"features_col": ["features", "single"], "output_col": ["a", "a"]},
            "output_col is ['a', 'a'], but the names must differ",
        ),
        (
            pair,
            {"features_col": ["features", "single"], "loss_col": "loss"},
            "loss_col 'loss': 'pair' has 2 outputs, a loss per row needs exactly 1",
        ),
        (
            network,
            {"features_col": []},
            "features_col is empty, but must be a name or a list of names",
        ),
        (network, {"output_col": 3}, "output_col is 3, but must be a name or a list of names"),
        (
            lambda: keras.Sequential([keras.layers.Dense(1)], name="open"),
            {},
            "keras_model: 'open' has no input shape yet; begin with keras.Input",
        ),
        (
            lambda: keras.Sequential([keras.Input((2, 3)), keras.layers.Dense(1)], name="deep"),
            {},
            "keras_model: 'deep' gives an output of shape (None, 2, 1); "
            "one axis per row can be used, end it with keras.layers.Flatten",
        ),
    ],
)
def test_bad_arguments_get_one_line(make, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ModelPredictor(make(), **arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            {"features_col": "feature"},
            ConfigError,
            "features_col: the data has no column 'feature'; did you mean 'features'?",
        ),
        (
            {"output_col": "label"},
            ConfigError,
            "output_col: the data already has a column 'label'",
        ),
        (
            {"features_col": "single"},
            DataError,
            "column 'single' has 1 numbers a row, the model takes 4 (input shape (None, 4))",
        ),
        (
            {"features_col": "with.dot"},
            DataError,
            "column 'with.dot' is string, not numbers, arrays of numbers or ML vectors",
        ),
    ],
)
def test_bad_columns_are_refused_before_the_job(
    frame, arguments: dict[str, str], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        ModelPredictor(network(), **arguments).predict(frame)
    assert str(caught.value) == message


def test_a_missing_label_column(frame) -> None:
    predictor = ModelPredictor(network(loss="mse"), label_col="lable", loss_col="loss")
    with pytest.raises(
        ConfigError, match="label_col: the data has no column 'lable'; did you mean"
    ):
        predictor.predict(frame)
