"""Predictions as a Spark job, for rows that one machine would take too long for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from distkeras.engines.jvm import end_jvm, java_command, start_spark, use_python
from distkeras.errors import StorageError
from distkeras.predict.columns import PREDICTION
from distkeras.predictors import ModelPredictor
from distkeras.preprocessing.expressions import features
from distkeras.preprocessing.failures import plain_errors
from distkeras.preprocessing.rows import Missing
from distkeras.preprocessing.settings import settings_for_names
from distkeras.preprocessing.sources import read_raw
from distkeras.preprocessing.sql import name_in_sql
from distkeras.storage import exists, publish, spark_url
from distkeras.worker_errors import unwrapped

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from distkeras.predict.command import Request
    from distkeras.predict.scorer import Scorer

__all__ = ["predict_with_spark", "spark_session"]

#: Under those of the user.
SETTINGS = {
    "spark.app.name": "distkeras predict",
    "spark.log.level": "ERROR",
    "spark.ui.showConsoleProgress": "false",
}
#: The column of features beside the raw ones.
FEATURES = "features of the model"


def predict_with_spark(request: Request, session: SparkSession) -> int:
    """Reads, predicts and writes a folder of files; returns the number of rows.

    Raises:
        DistkerasError: one line that names the file, column or value; nothing is left then.
    """
    check_free(request.output)
    with plain_errors(request.input.path), unwrapped(), settings_for_names(session):
        predicted = _predicted(request, session)
        with publish(request.output) as staging:
            return _write(predicted, request.output_format, spark_url(staging))


def check_free(url: str) -> None:
    """Refuses a place that is taken: Spark writes a folder, and those cannot be replaced at once.

    Raises:
        StorageError: something stands there.
    """
    if exists(url):
        raise StorageError(f"--output {url}: is there already; with --spark that is not replaced")


@contextmanager
def spark_session(settings: Mapping[str, str]) -> Iterator[SparkSession]:
    """A session of Spark, whose JVM ends with it.

    Raises:
        EnvironmentProblem: there is no Java, or Spark does not start.
    """
    java_command()
    use_python(settings)
    with tempfile.TemporaryDirectory(prefix="distkeras-spark-") as folder:
        session = start_spark(SETTINGS | dict(settings), Path(folder, "spark.log"))
        try:
            yield session
            session.stop()
        finally:
            end_jvm()


def _predicted(request: Request, session: SparkSession) -> DataFrame:
    scorer = request.scorer
    rows = read_raw(session, "--input", request.input, request.input_format)
    scorer.check_columns(rows.columns)
    appended = scorer.appended(flat=request.output_format == "csv")
    column = FEATURES if scorer.preprocessor else scorer.features_col
    kept = [name for name in rows.columns if name != column]
    appended.check(kept)
    predictor = ModelPredictor(scorer.model, column, PREDICTION, request.batch_size)
    return appended.in_spark(predictor.predict(_with_features(rows, scorer), keep=kept))


def _with_features(rows: DataFrame, scorer: Scorer) -> DataFrame:
    fitted = scorer.preprocessor
    if fitted is None:
        return rows
    missing = Missing(fitted.missing_numbers, fitted.missing_texts)
    made = features(fitted, rows.schema, missing, checked=True)
    return rows.selectExpr("*", f"{made} AS {name_in_sql(FEATURES)}")


def _write(rows: DataFrame, kind: str, url: str) -> int:
    from pyspark.sql import Observation
    from pyspark.sql import functions as f

    seen = Observation()
    # The folder is there already, empty.
    writer = rows.observe(seen, f.count(f.lit(1)).alias("rows")).write.mode("append")
    if kind == "csv":
        writer = writer.option("header", True).option("escape", '"')
    writer.format(kind).save(url)
    return int(seen.get["rows"])
