from __future__ import annotations

from typing import Any

import keras
import pytest

from distkeras.checks import check_class_weight, check_columns, check_rows, closed_inputs
from distkeras.compilation import CompileArguments, compiled_copy
from distkeras.engines.summary import ColumnSummary, Summary
from distkeras.errors import ConfigError, DataError
from distkeras.names import Columns


def model_of(units: int = 2, width: int = 4) -> Any:
    return keras.Sequential([keras.Input((width,)), keras.layers.Dense(units)])


def summary(
    width: int = 4,
    label_width: int | None = None,
    label_min: float | None = 0.0,
    label_max: float | None = 1.0,
) -> Summary:
    features = ColumnSummary("features", width)
    return Summary(10, (features,), (ColumnSummary("label", label_width, label_min, label_max),))


@pytest.mark.parametrize(
    ("units", "loss", "rows"),
    [
        (2, "sparse_categorical_crossentropy", summary()),
        (2, "categorical_crossentropy", summary()),
        (2, "categorical_crossentropy", summary(label_width=2, label_min=None)),
        (1, "binary_crossentropy", summary()),
        (1, "mse", summary(label_max=9.5)),
        (3, "mse", summary(label_width=3)),
    ],
)
def test_rows_that_fit_the_model(units: int, loss: str, rows: Summary) -> None:
    check_rows(compiled_copy(model_of(units), CompileArguments("sgd", loss, [])), rows)


@pytest.mark.parametrize(
    ("units", "loss", "rows", "message"),
    [
        (2, "mse", summary(width=5), "'features': the rows have 5 features.* takes 4"),
        (2, "mse", summary(label_max=0.5, label_min=0.5), "takes class numbers from 0 to 1"),
        (1, "sparse_categorical_crossentropy", summary(), "an output unit for each class"),
        (2, "mse", summary(label_width=3), "'label' has 3 numbers.* gives 2"),
        (2, "sparse_categorical_crossentropy", summary(label_max=2.0), r"from 0 to 2.*0 to 1"),
        (2, "categorical_crossentropy", summary(label_min=-1.0), "from -1 to 1"),
        (1, "binary_crossentropy", summary(label_max=2.0), "takes 0 to 1"),
    ],
)
def test_rows_that_do_not_fit_the_model(units: int, loss: str, rows: Summary, message: str) -> None:
    model = compiled_copy(model_of(units), CompileArguments("sgd", loss, []))
    with pytest.raises(DataError, match=message):
        check_rows(model, rows)


def pair() -> Any:
    """A model of two inputs, one of whole numbers, and two outputs of different widths."""
    numbers, words = keras.Input((3,), name="numbers"), keras.Input((2,), dtype="int32", name="ids")
    parts = [numbers, keras.layers.Flatten()(keras.layers.Embedding(7, 2)(words))]
    joint = keras.layers.Concatenate()(parts)
    outputs = [keras.layers.Dense(units, name=name)(joint) for units, name in ((2, "a"), (1, "b"))]
    model = keras.Model([numbers, words], outputs, name="pair")
    model.compile("sgd", ["mse", "mae"])
    return model


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            Columns(),
            r"features_col names 1 columns \(features\), but 'pair' has 2 inputs \(numbers, ids\)",
        ),
        (Columns(("p", "q"), ("y",)), r"label_col names 1 columns \(y\).* 2 outputs \(a, b\)"),
    ],
)
def test_a_column_for_each_input_and_output(columns: Columns, message: str) -> None:
    check_columns(pair(), Columns(("p", "q"), ("y", "z")))
    with pytest.raises(ConfigError, match=message):
        check_columns(pair(), columns)


@pytest.mark.parametrize(
    ("at", "column", "message"),
    [
        (0, ColumnSummary("p", 4), r"column 'p': the rows have 4 features.*\(3,\) takes 3"),
        (1, ColumnSummary("q", None, 0, 1), r"column 'q': the rows have 1 features.*takes 2"),
        (2, ColumnSummary("y", 3), r"column 'y' has 3 numbers a row.* gives 2"),
        (3, ColumnSummary("z", 2), r"column 'z' has 2 numbers a row.* gives 1"),
    ],
)
def test_every_column_is_compared_with_its_own_input_or_output(
    at: int, column: ColumnSummary, message: str
) -> None:
    columns = [
        ColumnSummary("p", 3),
        ColumnSummary("q", 2),
        ColumnSummary("y", 2),
        ColumnSummary("z", None, -5.0, 5.0),
    ]
    check_rows(pair(), Summary(9, tuple(columns[:2]), tuple(columns[2:])))
    columns[at] = column
    with pytest.raises(DataError, match=message):
        check_rows(pair(), Summary(9, tuple(columns[:2]), tuple(columns[2:])))


def test_an_open_axis_takes_what_the_rows_have() -> None:
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.GRU(2)])
    (found,) = closed_inputs(model, summary(width=12))
    assert found.shape == (4, 3)
    with pytest.raises(DataError, match="takes a multiple of 3"):
        closed_inputs(model, summary(width=10))


def test_class_numbers_as_arrays_of_one_and_one_for_each_step_of_a_sequence() -> None:
    sparse = "sparse_categorical_crossentropy"
    check_rows(compiled_copy(model_of(3), CompileArguments("sgd", sparse, [])), summary(4, 1))
    steps = keras.Sequential([keras.Input((5, 4)), keras.layers.Dense(3)])
    model = compiled_copy(steps, CompileArguments("sgd", sparse, []))
    check_rows(model, summary(20, 5))
    with pytest.raises(DataError, match=f"has 15 numbers a row.* takes 5 with {sparse}"):
        check_rows(model, summary(20, 15))


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (model_of(3), {3: 1.0}, "class_weight: 3 is no class, there are 0 to 2"),
        (model_of(1), {2: 1.0}, "class_weight: 2 is no class, there are 0 to 1"),
        (model_of(3), {"1": 1.0}, "class_weight: '1' is no class"),
        (model_of(3), {1: -0.5}, "class_weight: -0.5 of class 1 is no number of 0 or more"),
        (model_of(3), {1: float("nan")}, "class_weight: nan of class 1"),
        (model_of(3), [1.0, 2.0, 3.0], r"class_weight is \[1.0, 2.0, 3.0\], but must be a dict"),
        (pair(), {0: 1.0}, "class_weight: 'pair' has 2 outputs.*use sample_weight_col"),
    ],
)
def test_weights_of_what_is_no_class(model: Any, given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_class_weight(model, given)


def test_weights_of_classes_need_labels_that_are_classes() -> None:
    model = compiled_copy(model_of(1), CompileArguments("sgd", "mse", []))
    assert check_class_weight(model, {1: 2}) == {1: 2.0}
    check_rows(model, summary(), {1: 2.0})
    with pytest.raises(DataError, match=r"from 0 to 9\.5, but class_weight takes 0 to 1"):
        check_rows(model, summary(label_max=9.5), {1: 2.0})
