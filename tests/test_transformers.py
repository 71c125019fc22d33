"""The transformers against NumPy, in real Spark."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from distkeras.errors import ConfigError, DataError
from distkeras.predictors import ModelPredictor
from distkeras.transformers import (
    BinaryLabelTransformer,
    DenseTransformer,
    LabelIndexTransformer,
    MinMaxTransformer,
    OneHotTransformer,
    ReshapeTransformer,
    StandardTransformer,
)

ROWS, WIDTH = 40, 6
rng = np.random.default_rng(17)
TABLE = np.where(rng.random((ROWS, WIDTH)) < 0.5, 0, rng.normal(3, 200, (ROWS, WIDTH)))
LABELS = rng.integers(0, 4, ROWS)
LISTS = ["lists", "floats", "wholes", "dense", "sparse"]


@pytest.fixture(scope="module")
def frame(spark):
    """The same table in every form, one row of nulls at the end."""
    from pyspark.ml.linalg import SparseVector, Vectors, VectorUDT
    from pyspark.sql import types as t

    schema = t.StructType(
        [
            t.StructField("row", t.IntegerType()),
            t.StructField("lists", t.ArrayType(t.DoubleType())),
            t.StructField("floats", t.ArrayType(t.FloatType())),
            t.StructField("wholes", t.ArrayType(t.IntegerType())),
            t.StructField("dense", VectorUDT()),
            t.StructField("sparse", VectorUDT()),
            t.StructField("single.one", t.DoubleType()),
            t.StructField("label", t.LongType()),
            t.StructField("one", t.ArrayType(t.FloatType())),
            t.StructField("text", t.StringType()),
            t.StructField("flag", t.BooleanType()),
            t.StructField("tenth", t.FloatType()),
        ]
    )
    rows = []
    for place, row in enumerate(TABLE):
        filled = np.flatnonzero(row)
        label = int(LABELS[place])
        rows.append(
            (
                place,
                row.tolist(),
                row.tolist(),
                row.astype(int).tolist(),
                Vectors.dense(row),
                SparseVector(WIDTH, filled, row[filled]),
                float(row[0]),
                label,
                [float(label)],
                f"class {label}",
                label > 1,
                label / 10,
            )
        )
    rows.append((ROWS, *[None] * 11))
    return spark.createDataFrame(rows, schema).repartition(3, "row").cache()


def column(frame: Any, name: str = "out") -> list[Any]:
    """The column in the order of the rows; the row of nulls must have stayed null."""
    rows = sorted(frame.select("row", frame[f"`{name}`"]).collect())
    assert rows.pop() == (ROWS, None)
    return [row[1] for row in rows]


def kind(frame: Any, name: str = "out") -> str:
    return str(frame.schema[name].dataType.simpleString())


def table_of(name: str) -> np.ndarray:
    return TABLE.astype(int) if name == "wholes" else TABLE


@pytest.mark.parametrize("name", LISTS)
def test_min_max_maps_along_a_line(frame, name: str) -> None:
    result = MinMaxTransformer(-100, 300, 0, 1, name, "out").transform(frame)
    assert kind(result) == "array<float>"
    assert result.columns == [*frame.columns, "out"]
    np.testing.assert_allclose(column(result), (table_of(name) + 100) / 400, atol=1e-6)


def test_min_max_of_plain_numbers_in_place_and_turned_round(frame) -> None:
    scaled = MinMaxTransformer(0, 10, 5, -5, "single.one", "single.one", is_vector=False)
    result = scaled.transform(frame)
    assert result.columns == frame.columns
    assert kind(result, "single.one") == "float"
    np.testing.assert_allclose(column(result, "single.one"), 5 - TABLE[:, 0], rtol=1e-5, atol=1e-5)


def test_min_max_by_hand(spark) -> None:
    frame = spark.createDataFrame([([0.0, 255.0, 127.5, None],)], "x array<double>")
    result = MinMaxTransformer(0, 255, -1, 1, "x", "y").transform(frame).first()
    assert result["y"] == [-1.0, 1.0, 0.0, None]


def standardised(table: np.ndarray) -> np.ndarray:
    return (table - table.mean(axis=0)) / table.std(axis=0)


def test_standard_takes_every_column_in_one_go(frame) -> None:
    names = [*LISTS, "single.one"]
    result = StandardTransformer(names).transform(frame)
    assert result.columns == [*frame.columns, *(f"{name}_normalized" for name in names)]
    for name in LISTS:
        assert kind(result, f"{name}_normalized") == "array<float>"
        found = column(result, f"{name}_normalized")
        np.testing.assert_allclose(found, standardised(table_of(name)), atol=1e-5)
    single = column(result, "single.one_normalized")
    np.testing.assert_allclose(single, standardised(TABLE[:, 0]), atol=1e-5)


def test_only_standard_needs_a_job_before_an_action(spark, frame) -> None:
    def jobs() -> int:
        return len(spark.sparkContext.statusTracker().getJobIdsForGroup("counted"))

    frame.count()
    spark.sparkContext.setJobGroup("counted", "of a test")
    try:
        for transformer in (
            MinMaxTransformer(0, 1, 0, 2, "sparse", "out"),
            BinaryLabelTransformer("text", "out", "class 1"),
            DenseTransformer("sparse", "out"),
            ReshapeTransformer("sparse", "out", (2, 3)),
            OneHotTransformer(2, "one", "out"),
            LabelIndexTransformer(WIDTH, "sparse"),
        ):
            transformer.transform(frame)
        assert jobs() == 0
        StandardTransformer(["lists", "sparse", "label"]).transform(frame)
        assert jobs() > 0
    finally:
        spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)


def test_standard_of_a_constant_and_of_numbers_far_from_zero(spark) -> None:
    values = [[1.7e9 + number, 0.1, None] for number in range(7)]
    rows = [(row, 0.1) for row in values]
    frame = spark.createDataFrame(rows, "x array<double>, y double").coalesce(1)
    result = StandardTransformer(["x", "y"], "").transform(frame)
    assert result.columns == ["x", "y"]
    expected = standardised(np.arange(7.0))
    found = result.collect()
    np.testing.assert_allclose([row["x"][0] for row in found], expected, atol=1e-6)
    assert {(row["x"][1], row["x"][2], row["y"]) for row in found} == {(0.0, None, 0.0)}


def test_standard_of_vectors_keeps_double_precision_until_it_is_scaled(spark) -> None:
    from pyspark.ml.linalg import Vectors

    rows = [(Vectors.dense([1.7e9 + number]),) for number in range(7)]
    result = StandardTransformer("x").transform(spark.createDataFrame(rows, ["x"]).coalesce(1))
    found = [row[0][0] for row in result.select("x_normalized").collect()]
    np.testing.assert_allclose(found, standardised(np.arange(7.0)), atol=1e-6)


def test_standard_without_rows_or_without_numbers(spark, frame) -> None:
    result = StandardTransformer(["lists", "single.one"]).transform(frame.where("row < 0"))
    assert result.collect() == []
    nulls = StandardTransformer(["lists", "single.one"]).transform(frame.where(f"row = {ROWS}"))
    assert nulls.select("lists_normalized", "`single.one_normalized`").first() == (None, None)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0, 2.0], [3.0]], "column 'x': some rows have 1 values, others up to 2"),
        ([[1.0], [float("nan")]], "column 'x': its mean at position 0 is nan"),
        ([[1.0, float("inf")], [1.0, 2.0]], "column 'x': its mean at position 1 is inf"),
    ],
)
def test_standard_refuses_what_has_no_mean(spark, rows: list[list[float]], message: str) -> None:
    frame = spark.createDataFrame([(row,) for row in rows], "x array<double>")
    with pytest.raises(DataError, match=message):
        StandardTransformer(["x"]).transform(frame)


@pytest.mark.parametrize("name", LISTS)
def test_dense_writes_zeros_out(frame, name: str) -> None:
    result = DenseTransformer(name, "out").transform(frame)
    assert kind(result) == "array<float>"
    np.testing.assert_array_equal(column(result), table_of(name).astype(np.float32))


@pytest.mark.parametrize("shape", [(2, 3), (3, 2, 1), (1, 2, 3), (6,), [6, 1], 6])
@pytest.mark.parametrize("name", ["lists", "wholes", "sparse"])
def test_reshape_is_row_major(frame, name: str, shape: Any) -> None:
    result = ReshapeTransformer(name, "out", shape).transform(frame)
    axes = 1 if isinstance(shape, int) else len(shape)
    element = {"lists": "double", "wholes": "int", "sparse": "float"}[name]
    assert kind(result) == "array<" * axes + element + ">" * axes
    expected = table_of(name).reshape(ROWS, *np.atleast_1d(shape))
    np.testing.assert_allclose(column(result), expected, rtol=1e-6)
    back = ReshapeTransformer("out", "flat", (WIDTH,)).transform(result)
    np.testing.assert_allclose(column(back, "flat"), table_of(name), rtol=1e-6)


def test_a_reshaped_column_goes_into_a_model(frame) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    layers = [keras.Input((2, 3, 1)), keras.layers.Conv2D(2, 2), keras.layers.Flatten()]
    model = keras.Sequential(layers)
    shaped = ReshapeTransformer("sparse", "image", (2, 3, 1)).transform(frame)
    result = ModelPredictor(model, "image").predict(shaped.where(f"row < {ROWS}"))
    rows = sorted(result.select("row", "prediction").collect())
    expected = model.predict(TABLE.reshape(ROWS, 2, 3, 1), verbose=0)
    np.testing.assert_allclose([row[1] for row in rows], expected, rtol=1e-4, atol=1e-3)
    assert kind(result, "image") == "array<array<array<float>>>"


@pytest.mark.parametrize("name", ["label", "one"])
def test_one_hot(frame, name: str) -> None:
    result = OneHotTransformer(5, name, "out").transform(frame)
    assert kind(result) == "array<float>"
    np.testing.assert_array_equal(column(result), np.eye(5)[LABELS])


def index_by_loop(row: np.ndarray, default: int, threshold: float) -> int:
    """Dist-keras' rule, one activation after the other."""
    best, found = 0.0, default
    for place, activation in enumerate(row):
        if activation >= threshold:
            return place
        if activation > best:
            best, found = activation, place
    return found


@pytest.mark.parametrize("threshold", [0.55, 0.2, 2.0, -1.0])
def test_label_index_is_that_of_dist_keras(spark, threshold: float) -> None:
    random = np.random.default_rng(23)
    rows = random.integers(-3, 10, (300, 3)) / 10
    frame = spark.createDataFrame(list(enumerate(rows.tolist())), ["row", "prediction"])
    transformer = LabelIndexTransformer(3, default_index=-1, activation_threshold=threshold)
    result = transformer.transform(frame)
    assert kind(result, "prediction_index") == "double"
    found = [row[1] for row in sorted(result.select("row", "prediction_index").collect())]
    assert found == [index_by_loop(row, -1, threshold) for row in rows]


def test_label_index_by_hand_is_the_largest_of_probabilities(spark) -> None:
    rows = [([0.4, 0.35, 0.25],), ([0.1, 0.2, 0.7],), ([0.4, 0.4, 0.2],), ([0.0, 0.0, 0.0],)]
    frame = spark.createDataFrame(rows, ["prediction"]).coalesce(1)
    result = LabelIndexTransformer(3, default_index=2).transform(frame)
    assert [row[1] for row in result.collect()] == [0.0, 2.0, 0.0, 2.0]


@pytest.mark.parametrize("name", LISTS)
def test_label_index_reads_every_kind_of_list(frame, name: str) -> None:
    result = LabelIndexTransformer(WIDTH, name, "out").transform(frame)
    assert column(result) == [index_by_loop(row, 0, 0.55) for row in table_of(name)]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("label", 3),
        ("label", np.int64(3)),
        ("label", 3.0),
        ("single.one", 0.0),
        ("text", "class 3"),
        ("flag", True),
        ("tenth", 0.3),
    ],
)
def test_binary_label(frame, name: str, label: Any) -> None:
    result = BinaryLabelTransformer(name, "out", label).transform(frame)
    assert kind(result) == "int"
    expected = {"single.one": TABLE[:, 0] == 0, "flag": LABELS > 1}.get(name, LABELS == 3)
    assert column(result) == expected.astype(int).tolist()


@pytest.mark.parametrize(
    ("transformer", "row", "message"),
    [
        (
            OneHotTransformer(3, "n", "out"),
            {"n": 3},
            "OneHotTransformer: column 'n' holds 3, which is no class of 3 (0 to 2)",
        ),
        (OneHotTransformer(3, "n", "out"), {"n": -1}, "holds -1, which is no class"),
        (OneHotTransformer(3, "x", "out"), {"x": [1.5]}, "holds 1.5, which is no class"),
        (OneHotTransformer(3, "x", "out"), {"x": [float("nan")]}, "holds NaN, which is no class"),
        (
            OneHotTransformer(3, "x", "out"),
            {"x": [1.0, 0.0]},
            "a row of column 'x' has 2 numbers, not one class number",
        ),
        (
            LabelIndexTransformer(3, "x", "out"),
            {"x": [1.0, 0.0]},
            "a row of column 'x' has 2 activations, output_dim is 3",
        ),
        (
            LabelIndexTransformer(2, "x", "out"),
            {"x": [1.0, float("nan")]},
            "a row of column 'x' holds NaN or null",
        ),
        (
            ReshapeTransformer("x", "out", (2, 2)),
            {"x": [1.0, 0.0]},
            "a row of column 'x' has 2 numbers, the shape (2, 2) has 4",
        ),
    ],
)
def test_a_row_that_does_not_fit_is_named(
    spark, transformer: Any, row: dict[str, Any], message: str
) -> None:
    from pyspark.errors import PySparkException

    frame = spark.createDataFrame([(row.get("n"), row.get("x"))], "n int, x array<double>")
    result = transformer.transform(frame)
    with pytest.raises(PySparkException) as caught:
        result.collect()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(MinMaxTransformer, 1, 1, 0, 1), "o_max must be above o_min: 1 and 1"),
        (partial(MinMaxTransformer, 2, 1, 0, 1), "o_max must be above o_min: 1 and 2"),
        (partial(MinMaxTransformer, 0, 1, 1, 1), "n_max must differ from n_min: 1 and 1"),
        (partial(MinMaxTransformer, "0", 1, 0, 1), "o_min must be a finite number, not '0'"),
        (partial(MinMaxTransformer, 0, float("nan"), 0, 1), "o_max must be a finite number"),
        (partial(MinMaxTransformer, 0, 1, 0, 1, is_vector=1), "is_vector must be True or False"),
        (partial(OneHotTransformer, 0), "output_dim must be at least 1, not 0"),
        (partial(OneHotTransformer, 2.5), "output_dim must be a whole number, not 2.5"),
        (partial(LabelIndexTransformer, 1), "output_dim must be at least 2, not 1"),
        (
            partial(LabelIndexTransformer, 2, default_index="0"),
            "default_index must be a whole number, not '0'",
        ),
        (
            partial(LabelIndexTransformer, 2, activation_threshold=float("nan")),
            "activation_threshold must be a finite number, not nan",
        ),
        (partial(ReshapeTransformer, shape=(2, 0)), r"shape \(2, 0\): an axis must be at least 1"),
        (partial(ReshapeTransformer, shape=(2, -1)), "an axis must be at least 1, not -1"),
        (partial(ReshapeTransformer, shape=()), r"shape: \(\) has no axes"),
        (partial(ReshapeTransformer, shape=2.0), "an axis must be a whole number, not 2.0"),
    ],
)
def test_arguments_that_cannot_work_are_quoted(make: Callable[..., Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make(input_col="lists", output_col="out")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StandardTransformer([]), r"columns: \[\] names no column"),
        (lambda: StandardTransformer(["x", "x"]), "columns: 'x' comes twice"),
        (lambda: StandardTransformer([1]), "columns: 1 is no name"),
        (lambda: StandardTransformer(["x"], 1), "suffix: 1 is no text"),
        (lambda: BinaryLabelTransformer("x", "y", None), "label: None is no text"),
        (lambda: BinaryLabelTransformer("", "y", 1), "input_column: '' is no name"),
        (lambda: DenseTransformer("x", None), "output_col: None is no name"),
    ],
)
def test_other_arguments_that_cannot_work(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("transformer", "error", "message"),
    [
        (DenseTransformer("list", "out"), ConfigError, "no column 'list'; did you mean 'lists'"),
        (DenseTransformer("lists", "sparse"), ConfigError, "already has a column 'sparse'"),
        (DenseTransformer("lists", "Sparse"), ConfigError, "already has a column 'sparse'"),
        (DenseTransformer("label", "out"), DataError, "column 'label' is bigint, not arrays"),
        (DenseTransformer("text", "out"), DataError, "column 'text' is string, not arrays"),
        (ReshapeTransformer("label", "out", 1), DataError, "column 'label' is bigint"),
        (OneHotTransformer(3, "text", "out"), DataError, "column 'text' is string, not numbers"),
        (LabelIndexTransformer(3, "label", "out"), DataError, "column 'label' is bigint"),
        (StandardTransformer(["labels"]), ConfigError, "no column 'labels'; did you mean 'label'"),
        (StandardTransformer(["text"]), DataError, "column 'text' is string"),
        (StandardTransformer(["tenth"], ""), None, ""),
        (
            MinMaxTransformer(0, 1, 0, 2, "label", "out"),
            ConfigError,
            "is_vector: True does not fit column 'label', which is bigint",
        ),
        (
            MinMaxTransformer(0, 1, 0, 2, "lists", "out", is_vector=False),
            ConfigError,
            "is_vector: False does not fit column 'lists', which is array<double>",
        ),
        (
            BinaryLabelTransformer("text", "out", 1),
            ConfigError,
            "label: 1 is no text, column 'text' is string",
        ),
        (BinaryLabelTransformer("label", "out", True), ConfigError, "label: True is no number"),
        (BinaryLabelTransformer("flag", "out", 1), ConfigError, "label: 1 is no boolean"),
        (BinaryLabelTransformer("lists", "out", 1), DataError, "column 'lists' is array<double>"),
        (BinaryLabelTransformer("no", "out", 1), ConfigError, "input_column: the data has no"),
    ],
)
def test_columns_that_cannot_work_are_named(
    frame, transformer: Any, error: type[Exception] | None, message: str
) -> None:
    if error is None:
        assert transformer.transform(frame).columns == frame.columns
        return
    with pytest.raises(error, match=message) as caught:
        transformer.transform(frame)
    assert "\n" not in str(caught.value)


def test_what_is_no_dataframe_is_refused() -> None:
    for transformer in (DenseTransformer("x", "y"), StandardTransformer("x")):
        with pytest.raises(ConfigError, match="dataframe: is list, not a Spark DataFrame"):
            transformer.transform([])
