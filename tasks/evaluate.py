"""A trained model into numbers and a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from distkeras.lean_keras import import_keras
from distkeras.storage import Place, load_model, read_json, spark_url, write_json
from tasks.base import ExperimentTask
from tasks.keys import evaluate_parts
from tasks.observing import evaluation
from tasks.preprocess import Preprocess
from tasks.progress import Reporter
from tasks.target import MANIFEST
from tasks.train import Train

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Evaluate"]


class Evaluate(ExperimentTask):
    """``metrics.json``, ``report.html``, ``manifest.json``; ``predictions/`` where asked for."""

    code_version = 1

    def own_parts(self) -> dict[str, Any]:
        """``[evaluate]``."""
        return evaluate_parts(self.experiment)

    def requires(self) -> dict[str, ExperimentTask]:
        """The model and the test split."""
        return {
            "preprocess": Preprocess(**self.arguments()),
            "train": self.training,
        }

    @property
    def training(self) -> Train:
        """The task that makes the model."""
        return Train(**self.arguments())

    def produce(self, staging: Place, report: Reporter) -> Mapping[str, Any]:
        """Predicts the test split, measures and reports."""
        from distkeras.evaluators import evaluate_predictions
        from distkeras.preprocessing.preprocessor import Preprocessor

        trained = self.input()["train"].place
        preprocessor = Preprocessor.load(trained / "preprocessor.json")
        with evaluation(self, self.requires()["train"]) as seen:
            predicted = self._predict(staging, report)
            report.phase("measuring")
            kind = self.experiment.preprocess.label.kind
            metrics = evaluate_predictions(
                predicted, kind=kind, classes=preprocessor.classes, loss_col="loss"
            )
            seen.log(metrics, read_json(trained / MANIFEST)["rows_merged"])
        write_json(staging / "metrics.json", metrics)
        report.phase("writing the report")
        self._write_report(staging, metrics)
        return {"config": self.experiment.evaluate.model_dump(mode="json")}

    def _predict(self, staging: Place, report: Reporter) -> DataFrame:
        """The test split with predictions; still to be computed, unless they are to be kept."""
        from distkeras.predictors import ModelPredictor

        report.phase("loading the model")
        import_keras(quietly=True)
        model = load_model(self.input()["train"].place / "model.keras")
        spec = self.experiment.evaluate
        spark = self.start_spark(report)
        test = spark.read.parquet(spark_url(self.input()["preprocess"].place / "test"))
        predictor = ModelPredictor(model, batch_size=spec.batch_size, loss_col="loss")
        others = [name for name in test.columns if name != "features"]
        predicted = predictor.predict(test, keep=others)
        if not spec.predictions:
            return predicted
        report.phase("predicting")
        kept = spark_url(staging / "predictions")
        predicted.write.parquet(kept)
        read: DataFrame = spark.read.parquet(kept)
        return read

    def _write_report(self, staging: Place, metrics: dict[str, Any]) -> None:
        from distkeras.history import read_history
        from distkeras.report import write_report

        made = {name: read_json(target.place / MANIFEST) for name, target in self.input().items()}
        history = read_history(self.input()["train"].place / "history.parquet")
        write_report(staging / "report.html", metrics, history, made)
