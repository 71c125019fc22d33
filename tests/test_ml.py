"""Estimator and model in Spark ML's own pipelines, grids and folders."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.evaluation import BinaryClassificationEvaluator, MulticlassClassificationEvaluator
from pyspark.ml.feature import StandardScaler, VectorAssembler
from pyspark.ml.linalg import DenseVector, Vectors
from pyspark.ml.tuning import CrossValidator, CrossValidatorModel, ParamGridBuilder
from pyspark.sql import DataFrame, SparkSession

from distkeras.errors import ConfigError, StorageError
from distkeras.ml import KerasEstimator, KerasModel

ROWS, WIDTH = 240, 3
COLUMNS = ["a", "b", "c"]


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, WIDTH)) * [1, 10, 100]
    y = (x @ [1, -0.1, 0.01] > 0).astype(float)
    rows = [(*map(float, row), float(label)) for row, label in zip(x, y, strict=True)]
    return spark.createDataFrame(rows, [*COLUMNS, "label"]).repartition(2).cache()


@pytest.fixture(scope="module")
def assembled(frame: DataFrame) -> DataFrame:
    return VectorAssembler(inputCols=COLUMNS, outputCol="features").transform(frame)


def network(units: int = 2, activation: str | None = "softmax", loss: Any = None) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((WIDTH,)), keras.layers.Dense(units, activation)])
    if loss is not None:
        model.compile("sgd", loss)
    return model


def estimator(**changes: Any) -> KerasEstimator:
    keywords = {"worker_optimizer": "adam", "loss": "sparse_categorical_crossentropy"}
    return KerasEstimator(network(), **{**keywords, "batchSize": 16, **changes})


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(
        stages=[
            VectorAssembler(inputCols=COLUMNS, outputCol="assembled"),
            StandardScaler(inputCol="assembled", outputCol="features", withMean=True),
            estimator(
                learningRate=0.05, numEpoch=5, communicationWindow=1, classWeight={0: 1.0, 1: 1.5}
            ),
        ]
    )


@pytest.fixture(scope="module")
def fitted(pipeline: Pipeline, frame: DataFrame) -> PipelineModel:
    return pipeline.fit(frame)


def jobs(spark: SparkSession) -> set[int]:
    return set(spark.sparkContext.statusTracker().getJobIdsForGroup(None))


def test_a_pipeline_learns(fitted: PipelineModel, frame: DataFrame) -> None:
    scored = fitted.transform(frame)
    assert dict(scored.dtypes)["prediction"] == "double"
    accuracy = MulticlassClassificationEvaluator(metricName="accuracy").evaluate(scored)
    assert accuracy > 0.9
    assert MulticlassClassificationEvaluator(metricName="logLoss").evaluate(scored) < 0.5
    area = BinaryClassificationEvaluator(rawPredictionCol="probability").evaluate(scored)
    assert area > 0.95
    model = fitted.stages[-1]
    assert isinstance(model, KerasModel)
    assert model.report["rows_merged"] == ROWS * 5
    assert sum(record.samples for record in model.history.records) == ROWS * 5


def test_a_fitted_pipeline_is_the_same_when_loaded(
    fitted: PipelineModel, frame: DataFrame, tmp_path: Path
) -> None:
    path = f"file://{tmp_path}/model"
    fitted.save(path)
    loaded = PipelineModel.load(path)
    assert loaded.transform(frame).collect() == fitted.transform(frame).collect()
    before, after = fitted.stages[-1], loaded.stages[-1]
    assert (after.uid, after.history.to_arrow()) == (before.uid, before.history.to_arrow())
    assert after.report == json.loads(json.dumps(before.report))
    assert after.getFeaturesCol() == "features"
    fitted.write().overwrite().save(path)


def test_a_pipeline_is_the_same_when_loaded(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.save(str(tmp_path / "pipeline"))
    before, after = (
        stages.getStages()[-1] for stages in (pipeline, Pipeline.load(str(tmp_path / "pipeline")))
    )
    assert after.uid == before.uid
    assert after.extractParamMap() == before.extractParamMap()
    assert after.getClassWeight() == {0: 1.0, 1: 1.5}
    for mine, theirs in zip(
        after.keras_model.get_weights(), before.keras_model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_cross_validation_finds_the_better_one(assembled: DataFrame, tmp_path: Path) -> None:
    stage = estimator()
    grid = ParamGridBuilder().addGrid(stage.learningRate, [1e-9, 0.05])
    validator = CrossValidator(
        estimator=stage,
        estimatorParamMaps=grid.addGrid(stage.trainer, ["SingleTrainer"]).build(),
        evaluator=MulticlassClassificationEvaluator(metricName="accuracy"),
        numFolds=2,
        seed=1,
    )
    found = validator.fit(assembled)
    assert found.avgMetrics[1] > found.avgMetrics[0]
    best = found.bestModel
    assert isinstance(best, KerasModel)
    assert best.report["workers"] == 1
    found.save(str(tmp_path / "found"))
    loaded = CrossValidatorModel.load(str(tmp_path / "found"))
    assert loaded.avgMetrics == found.avgMetrics
    assert loaded.getEstimatorParamMaps() == found.getEstimatorParamMaps()
    assert loaded.transform(assembled).collect() == found.transform(assembled).collect()


def test_objects_that_only_the_user_has_reach_the_workers(
    assembled: DataFrame, tmp_path: Path
) -> None:
    @keras.saving.register_keras_serializable("tests")
    def doubled(goal: Any, output: Any) -> Any:
        return 2 * keras.losses.categorical_crossentropy(goal, output)

    stage = estimator(loss=doubled, worker_optimizer=keras.optimizers.SGD(0.5))
    stage.save(str(tmp_path / "stage"))
    loaded = KerasEstimator.load(str(tmp_path / "stage"))
    assert loaded.getWorkerOptimizer()["config"]["learning_rate"] == 0.5
    fitted = loaded.fit(assembled, {loaded.predictionCol: "class", loaded.kind: "classes"})
    assert fitted.transform(assembled).columns[-2:] == ["class", "probability"]

    @keras.saving.register_keras_serializable("tests")
    class Doubled(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return 2 * inputs

    (width,) = network(3, "softmax", "mse").input_shape[1:]
    own = keras.Sequential([keras.Input((width,)), Doubled(), keras.layers.Dense(3, "softmax")])
    own.compile("sgd", "sparse_categorical_crossentropy")
    assert KerasModel(own).transform(assembled).count() == assembled.count()


@pytest.mark.parametrize(
    ("units", "activation", "loss"),
    [
        (1, "sigmoid", "binary_crossentropy"),
        (1, None, keras.losses.BinaryCrossentropy(from_logits=True)),
        (3, "softmax", "mse"),
        (3, None, keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
    ],
)
def test_classes(assembled: DataFrame, units: int, activation: str | None, loss: Any) -> None:
    model = network(units, activation, loss)
    rows = KerasModel(model).transform(assembled).collect()
    output = model.predict(np.array([row.features for row in rows]), verbose=0).astype("f8")
    if activation is None:
        output = np.exp(output - output.max(1, keepdims=True)) if units > 1 else output
        output = output / output.sum(1, keepdims=True) if units > 1 else 1 / (1 + np.exp(-output))
    if units == 1:
        output = np.hstack([1 - output, output])
    assert isinstance(rows[0].probability, DenseVector)
    np.testing.assert_allclose([row.probability for row in rows], output, atol=1e-5)
    assert [row.prediction for row in rows] == output.argmax(1).tolist()


def test_values_of_sparse_features(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(Vectors.sparse(WIDTH, {1: 2.0}),)], ["features"])
    one, several = network(1, None, "mse"), network(2, None, "mse")
    row = KerasModel(one, predictionCol="value").transform(frame).first()
    assert row.asDict().keys() == {"features", "value"}
    assert row.value == pytest.approx(2 * one.get_weights()[0][1, 0], rel=1e-5)
    row = KerasModel(several).transform(frame).first()
    assert isinstance(row.prediction, DenseVector)
    np.testing.assert_allclose(row.prediction, 2 * several.get_weights()[0][1], rtol=1e-5)


def test_every_parameter_is_set_and_got() -> None:
    stage = estimator()
    for param in stage.params:
        suffix = param.name[0].upper() + param.name[1:]
        value = getattr(stage, f"get{suffix}")()
        assert getattr(stage, f"set{suffix}")(value) is stage
        assert stage.getOrDefault(param) == value
    assert stage.setBatchSize(8).getBatchSize() == 8
    assert stage.copy({stage.batchSize: 4}).getBatchSize() == 4
    assert stage.getBatchSize() == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batchSize": 0}, "batchSize must be at least 1, not 0"),
        ({"numEpoch": 1.5}, "numEpoch must be a whole number, not 1.5"),
        ({"learningRate": -1}, "learningRate must be above 0, not -1"),
        ({"trainer": "ADAGG"}, "trainer is 'ADAGG'; did you mean 'ADAG'?"),
        ({"kind": "class"}, "kind is 'class'; did you mean 'classes'?"),
        ({"batchsize": 1}, "KerasEstimator has no parameter batchsize; did you mean batchSize?"),
        ({"shuffle": 1}, "shuffle is 1"),
        ({"featuresCol": []}, "featuresCol is empty"),
        ({"labelCol": 1}, "labelCol is 1, but must be a name"),
        ({"metrics": "accuracy"}, "metrics is 'accuracy', but must be a list"),
        ({"classWeight": {"x": 1}}, "classWeight is {'x': 1}"),
        ({"loss": lambda goal, output: output}, "loss: Keras cannot"),
        ({"loss": {"class_name": "Nothing", "config": {}}}, "loss: Keras cannot restore"),
        ({"trainerArguments": {"batch_size": 1}}, "is set by the parameter batchSize"),
        ({"trainerArguments": {"rho": object()}}, "trainerArguments: JSON cannot hold"),
    ],
)
def test_a_bad_value_is_refused_at_once(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        estimator(**changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trainer": "AEASGD", "trainerArguments": {"rho": 99}}, "99"),
        ({"trainer": "AEASGD", "trainerArguments": {"roh": 5}}, "'roh'; did you mean 'rho'?"),
        ({"trainer": "SingleTrainer", "numWorkers": 3}, "num_workers is 3"),
        ({"featuresCol": "feature"}, "did you mean 'features'?"),
        ({"predictionCol": "label"}, "predictionCol: the data already has a column 'label'"),
        ({"probabilityCol": "prediction"}, "are both 'prediction'"),
    ],
)
def test_what_does_not_go_together_is_refused_before_a_job(
    spark: SparkSession, assembled: DataFrame, changes: dict[str, Any], message: str
) -> None:
    before = jobs(spark)
    with pytest.raises(ConfigError) as error:
        estimator(**changes).fit(assembled)
    assert message in str(error.value)
    assert jobs(spark) == before


def test_all_of_a_grid_is_checked_before_the_first_is_trained(
    spark: SparkSession, assembled: DataFrame
) -> None:
    stage, before = estimator(), jobs(spark)
    with pytest.raises(ConfigError, match="not 0"):
        stage.fit(assembled, [{stage.batchSize: 16}, {stage.batchSize: 0}])
    assert jobs(spark) == before


def test_a_model_that_cannot_be_a_column_is_refused() -> None:
    entry = keras.Input((WIDTH,))
    two = keras.Model(entry, [keras.layers.Dense(1)(entry), keras.layers.Dense(1)(entry)])
    with pytest.raises(ConfigError, match="has 2 outputs"):
        KerasEstimator(two)
    with pytest.raises(ConfigError, match=r"is str, not a keras.Model"):
        KerasModel("model.keras")


def test_what_cannot_be_loaded_or_saved_is_one_line(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "stage")
    estimator().save(path)
    with pytest.raises(StorageError, match="exists; write"):
        estimator().save(path)
    with pytest.raises(StorageError, match=r"holds a distkeras.ml.KerasEstimator, not a"):
        KerasModel.load(path)
    Path(path, "model.keras").write_bytes(b"no model")
    with pytest.raises(StorageError, match=r"stage/model.keras: damaged") as error:
        KerasEstimator.load(path)
    assert "\n" not in str(error.value)
    for nowhere in (str(tmp_path / "nothing"), "nofs://host/stage"):
        with pytest.raises(StorageError, match=nowhere) as error:
            KerasEstimator.load(nowhere)
        assert "\n" not in str(error.value)


def test_importing_it_imports_no_tensorflow() -> None:
    code = "import sys, distkeras.ml; print(*{name.split('.')[0] for name in sys.modules})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras"} & set(ran.stdout.split())
