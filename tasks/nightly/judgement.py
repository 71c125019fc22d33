"""How good models are on the rows of one day, each with its own preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distkeras.errors import DataError, StorageError
from distkeras.lean_keras import import_keras
from distkeras.storage import Place, load_model, read_bytes, read_json, write_json
from tasks import session
from tasks.config import Experiment
from tasks.progress import Reporter
from tasks.target import MANIFEST

__all__ = ["judge", "write_night_report"]


def judge(
    models: Mapping[str, Place], rows: str, experiment: Experiment, report: Reporter
) -> dict[str, dict[str, Any]]:
    """The measures of several models on the same rows.

    Args:
        models: directories with ``model.keras`` and ``preprocessor.json``, by name.
        rows: Spark's address of the rows, before any fitting.
        experiment: whose ``[evaluate]`` and label are used.
        report: takes the progress.

    Returns:
        By name, what ``evaluate_predictions`` gives; ``error``, one line, for the serving model
        where it cannot be measured: it is damaged, or does not know a class.

    Raises:
        DistkerasError: another model cannot be measured.
    """
    report.phase("loading the models")
    import_keras(quietly=True)
    spark = session.spark_session()
    found: dict[str, dict[str, Any]] = {}
    for name, place in models.items():
        report.phase(f"measuring the {name} model")
        try:
            found[name] = _measured(spark.read.parquet(rows), place, experiment)
        except (DataError, StorageError) as error:
            if name != "serving":
                raise
            found[name] = {"error": " ".join(str(error).split())}
    report.end_phase()
    return found


def _measured(rows: Any, place: Place, experiment: Experiment) -> dict[str, Any]:
    from distkeras.evaluators import evaluate_predictions
    from distkeras.predictors import ModelPredictor
    from distkeras.preprocessing.preprocessor import Preprocessor

    fitted = Preprocessor.load(place / "preprocessor.json")
    model = load_model(place / "model.keras")
    size = experiment.evaluate.batch_size
    predictor = ModelPredictor(model, batch_size=size, loss_col="loss")
    predicted = predictor.predict(fitted.transform_spark(rows), keep=["label"])
    kind = experiment.preprocess.label.kind
    return evaluate_predictions(predicted, kind=kind, classes=fitted.classes, loss_col="loss")


def write_night_report(
    staging: Place, found: Mapping[str, dict[str, Any]], made: Place, data: Place
) -> None:
    """Writes ``metrics.json`` of all models, and ``report.html`` of the new one.

    Args:
        staging: the directory.
        found: from ``judge``.
        made: the result of the training.
        data: that of the preprocessing.
    """
    from pyarrow import BufferReader
    from pyarrow.parquet import read_table

    from distkeras.report import write_report

    write_json(staging / "metrics.json", found)
    history = read_table(BufferReader(read_bytes(made / "history.parquet")))
    manifests = {
        name: read_json(place / MANIFEST) for name, place in (("preprocess", data), ("train", made))
    }
    write_report(staging / "report.html", found["new"], history, manifests)
