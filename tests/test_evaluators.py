"""Measures against scikit-learn and against ``model.evaluate`` on the same rows."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from distkeras.errors import ConfigError, DataError
from distkeras.evaluators import AccuracyEvaluator, evaluate_predictions
from distkeras.predictors import ModelPredictor
from distkeras.scores import class_scores, macro, roc_auc, roc_curve, thinned

keras = pytest.importorskip("keras")
ROWS = 400


def frame(spark, **columns: object):
    table = pd.DataFrame(
        {name: list(np.asarray(values).tolist()) for name, values in columns.items()}
    )
    return spark.createDataFrame(table).repartition(3)


def guesses(classes: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that know something of them; float32 as a model gives them."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, ROWS)
    scores = random.normal(size=(ROWS, classes)) + 1.5 * np.eye(classes)[labels]
    odds = np.exp(scores)
    return labels, (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def check_against_sklearn(found: dict, labels: np.ndarray, probabilities: np.ndarray) -> None:
    predicted = probabilities.argmax(axis=1)
    assert found["rows"] == ROWS
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert found["confusion"] == metrics.confusion_matrix(labels, predicted).tolist()
    wide = probabilities.astype(float)
    wide /= wide.sum(axis=1, keepdims=True)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(labels, wide), abs=1e-6)
    each = metrics.precision_recall_fscore_support(labels, predicted)
    for name, expected in zip(("precision", "recall", "f1", "support"), each, strict=True):
        np.testing.assert_allclose([row[name] for row in found["per_class"]], expected)
    assert found["macro"]["f1"] == pytest.approx(
        metrics.f1_score(labels, predicted, average="macro")
    )
    json.dumps(found, allow_nan=False)


def test_two_classes_from_softmax_and_from_one_sigmoid(spark) -> None:
    labels, probabilities = guesses(2)
    both = evaluate_predictions(frame(spark, label=labels, prediction=probabilities), classes="gh")
    one = evaluate_predictions(frame(spark, label=labels, prediction=probabilities[:, 1:]))
    for found in (both, one):
        check_against_sklearn(found, labels, probabilities)
        assert found["roc_auc"] == pytest.approx(
            metrics.roc_auc_score(labels, np.round(probabilities[:, 1].astype(float), 5)), abs=1e-9
        )
        assert metrics.auc(*found["roc"].values()) == pytest.approx(found["roc_auc"], abs=1e-3)
    assert both["classes"] == ["g", "h"]
    assert both["per_class"][1]["class"] == "h"
    assert one["classes"] == [0, 1]
    assert both["most_frequent"] == pytest.approx(max(labels.mean(), 1 - labels.mean()))


def test_several_classes(spark) -> None:
    labels, probabilities = guesses(4)
    found = evaluate_predictions(frame(spark, label=labels, prediction=probabilities))
    check_against_sklearn(found, labels, probabilities)
    wide = np.round(probabilities.astype(float), 5)
    areas = [metrics.roc_auc_score(labels == number, wide[:, number]) for number in range(4)]
    np.testing.assert_allclose([row["roc_auc"] for row in found["per_class"]], areas, atol=1e-9)
    assert found["roc_auc"] == pytest.approx(np.mean(areas))
    assert found["roc"] is None


def test_one_hot_labels_and_a_class_nobody_has(spark) -> None:
    labels, probabilities = guesses(3)
    labels[labels == 2] = 0
    rows = frame(spark, label=np.eye(3)[labels], prediction=probabilities)
    found = evaluate_predictions(rows)
    assert found["per_class"][2]["support"] == 0
    assert found["per_class"][2]["recall"] is None
    assert found["per_class"][2]["roc_auc"] is None
    assert found["macro"]["recall"] == pytest.approx(
        np.mean([row["recall"] for row in found["per_class"][:2]])
    )
    json.dumps(found, allow_nan=False)


def test_one_class_only_has_no_auc(spark) -> None:
    _, probabilities = guesses(2)
    found = evaluate_predictions(frame(spark, label=np.zeros(ROWS), prediction=probabilities))
    assert found["roc_auc"] is None
    assert found["roc"] is None


@pytest.mark.parametrize(
    ("outputs", "loss"),
    [
        (3, "categorical_crossentropy"),
        (3, "sparse_categorical_crossentropy"),
        (1, "binary_crossentropy"),
    ],
)
def test_the_loss_is_that_of_evaluate(spark, outputs: int, loss: str) -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(outputs, "softmax" if outputs > 1 else "sigmoid")]
    )
    model.compile("sgd", loss, metrics=["accuracy"])
    features = np.random.default_rng(2).normal(size=(ROWS, 4)).astype(np.float32)
    labels = np.arange(ROWS) % max(outputs, 2)
    goal = labels if outputs == 1 or "sparse" in loss else np.eye(3)[labels]
    expected = model.evaluate(features, goal, verbose=0, return_dict=True)
    rows = frame(spark, features=features, label=labels)
    predictions = ModelPredictor(model, loss_col="row loss").predict(rows).cache()
    found = evaluate_predictions(predictions, loss_col="row loss")
    assert found["loss"] == pytest.approx(expected["loss"], abs=1e-5)
    assert found["accuracy"] == pytest.approx(expected["accuracy"], abs=1e-6)
    assert AccuracyEvaluator().evaluate(predictions) == pytest.approx(found["accuracy"])


@pytest.mark.parametrize("wide", [True, False])
def test_regression(spark, wide: bool) -> None:
    random = np.random.default_rng(8)
    truth = 1e6 + random.normal(size=ROWS)
    guess = truth + 0.3 * random.normal(size=ROWS)
    rows = frame(
        spark,
        label=truth,
        prediction=guess[:, None] if wide else guess,
        square=(truth - guess) ** 2,
    )
    found = evaluate_predictions(rows, kind="regression", loss_col="square")
    assert found["rows"] == ROWS
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, guess))
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, guess))
    assert found["r2"] == pytest.approx(metrics.r2_score(truth, guess))
    assert found["loss"] == pytest.approx(metrics.mean_squared_error(truth, guess))
    errors = guess - truth
    quantiles = found["error_quantiles"]
    assert (quantiles[0], quantiles[100]) == pytest.approx((errors.min(), errors.max()))
    assert quantiles[50] == pytest.approx(np.median(errors), abs=0.02)
    constant = evaluate_predictions(
        rows.selectExpr("1.0 AS label", "prediction"), kind="regression"
    )
    assert constant["r2"] is None
    assert constant["loss"] is None


def test_accuracy_of_class_numbers_and_arrays(spark) -> None:
    rows = frame(
        spark,
        label=[0, 1, 2, 1],
        one_hot=np.eye(3)[[0, 1, 2, 1]],
        index=[0.0, 1.0, 1.0, 1.0],
        scores=[[0.5, 0.5, 0.0], [0.2, 0.8, 0.0], [0.1, 0.8, 0.1], [0.9, 0.1, 0.0]],
    )
    assert AccuracyEvaluator(prediction_col="index").evaluate(rows) == 0.75
    assert AccuracyEvaluator("one_hot", "scores").evaluate(rows) == 0.5
    binary = frame(spark, label=[0, 1, 1], prediction=[[0.5], [0.500001], [0.3]])
    assert AccuracyEvaluator().evaluate(binary) == pytest.approx(2 / 3)
    assert evaluate_predictions(binary)["accuracy"] == pytest.approx(2 / 3)


def test_the_area_is_exact_on_counts() -> None:
    random = np.random.default_rng(0)
    labels, scores = random.integers(0, 2, 500), random.integers(0, 20, 500)
    positives = np.bincount(scores[labels == 1], minlength=20)
    negatives = np.bincount(scores[labels == 0], minlength=20)
    assert roc_auc(positives, negatives) == pytest.approx(metrics.roc_auc_score(labels, scores))
    false, true = roc_curve(positives, negatives)
    expected = metrics.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(false, expected[0])
    np.testing.assert_allclose(true, expected[1])
    assert roc_auc(positives, np.zeros(20)) is None


def test_a_thinned_curve_keeps_its_ends_and_its_shape() -> None:
    x = np.linspace(0, 1, 10_000)
    few, heights = thinned(x, np.sqrt(x), 50)
    assert len(few) <= 50
    assert (few[0], few[-1], heights[0], heights[-1]) == (0, 1, 0, 1)
    np.testing.assert_allclose(np.sqrt(few), heights, atol=1e-4)


def test_scores_by_hand() -> None:
    first, second = class_scores(np.array([[3, 1], [0, 0]]), ["a", "b"])
    assert first == {"class": "a", "precision": 1, "recall": 0.75, "f1": 6 / 7, "support": 4}
    assert second == {"class": "b", "precision": 0, "recall": None, "f1": 0, "support": 0}
    assert macro([first, second], "recall") == 0.75
    assert macro([second], "recall") is None


GOOD = [[0.2, 0.8], [0.9, 0.1]]


@pytest.mark.parametrize(
    ("labels", "predictions", "arguments", "message"),
    [
        (
            [0, 2],
            GOOD,
            {},
            "column 'label': 1 row holds no class of a model with 2 classes (0 to 1), e.g. 2",
        ),
        (
            [0.5, -1],
            GOOD,
            {},
            "column 'label': 2 rows hold no class of a model with 2 classes (0 to 1), e.g. ",
        ),
        (
            [0, np.nan],
            GOOD,
            {},
            "column 'label': 1 row holds no class of a model with 2 classes (0 to 1), e.g. null",
        ),
        (
            [0, 1],
            [[0.2, 0.8], [3.5, -1.0]],
            {},
            "column 'prediction': 1 row holds no probabilities from 0 to 1 "
            "(end the model in softmax or sigmoid), e.g. 3.5",
        ),
        (
            [0, 1],
            [[0.2, 0.8], [np.nan, 1.0]],
            {},
            "column 'prediction': 1 row holds no probabilities from 0 to 1 "
            "(end the model in softmax or sigmoid), e.g. null",
        ),
        (
            [0, 1],
            [[0.2, 0.8], [0.1, 0.2, 0.7]],
            {},
            "column 'prediction' holds 2 scores in some rows, 3 in others",
        ),
        ([0, 1], GOOD, {"classes": "abc"}, "classes: 3 names for predictions of 2 classes"),
        (
            [0, 1],
            GOOD,
            {"loss_col": "loss"},
            "loss_col: the data has no column 'loss'; there are label, prediction",
        ),
        ([0, 1], GOOD, {"kind": "rank"}, "kind must be 'classes' or 'regression', not 'rank'"),
        (
            [0, 1],
            GOOD,
            {"kind": "regression"},
            "columns 'label' and 'prediction': 2 rows hold not one finite number in both",
        ),
        (
            [0, 1],
            GOOD,
            {"prediction_col": "predictions"},
            "prediction_col: the data has no column 'predictions'; did you mean 'prediction'?",
        ),
    ],
)
def test_bad_input_gets_one_line(spark, labels, predictions, arguments, message: str) -> None:
    rows = frame(spark, label=pd.array(labels), prediction=np.array(predictions, dtype=object))
    with pytest.raises((ConfigError, DataError)) as caught:
        evaluate_predictions(rows, **arguments)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_no_rows_and_nulls(spark) -> None:
    rows = spark.createDataFrame([(None, [0.2, 0.8])], "label int, prediction array<float>")
    empty = rows.limit(0)
    for kind in ("classes", "regression"):
        with pytest.raises(DataError, match="no rows to evaluate"):
            evaluate_predictions(empty, kind=kind)
    with pytest.raises(DataError, match="no rows to evaluate"):
        AccuracyEvaluator().evaluate(empty)
    with pytest.raises(DataError, match=r"column 'label': 1 row holds no class .*, e.g. null"):
        evaluate_predictions(rows)
    with pytest.raises(DataError, match=r"column 'label': 1 row holds no class number"):
        AccuracyEvaluator().evaluate(rows)
    for expression in ("double('nan')", "double('inf')"):
        with pytest.raises(DataError, match=rf"column 'label': 1 row .* e.g. {expression[8:11]}"):
            evaluate_predictions(rows.selectExpr(f"{expression} AS label", "prediction"))
        with pytest.raises(DataError, match=rf"'prediction': 1 row .* e.g. {expression[8:11]}"):
            evaluate_predictions(
                rows.selectExpr("0 AS label", f"array({expression}) AS prediction")
            )
    with pytest.raises(DataError, match="column 'text' is string"):
        evaluate_predictions(rows.selectExpr("'g' AS text", "prediction"), "text")
    with pytest.raises(DataError, match=r"column 'p': 1 row holds no class number"):
        AccuracyEvaluator(prediction_col="p").evaluate(rows.selectExpr("1 AS label", "0.7 AS p"))


def test_an_error_of_the_prediction_reaches_the_caller_in_one_line(spark) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "softmax")])
    rows = spark.sql("SELECT id % 2 AS label, array(1.0, double('nan')) AS features FROM range(2)")
    with pytest.raises(
        DataError, match=r"^partition \d+, column 'features': row 0 holds nan at position 1$"
    ):
        evaluate_predictions(ModelPredictor(model).predict(rows))
