"""Data bigger than memory, 3 of 3: how good is the model of example 1, and how did it get there?

    python examples/example_2_analysis.py

The test split is predicted where it lies, in batches, and the predictions are counted there: this
process gets the counts. Then there is, in FOLDER/analysis:

    metrics.json    accuracy, loss, area under the ROC curve, confusion, ...
    history.png     loss, accuracy and waiting of each worker while it trained
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from session import spark_session

from distkeras.errors import DistkerasError
from distkeras.evaluators import evaluate_predictions
from distkeras.history import History
from distkeras.history_views import of_worker
from distkeras.predictors import ModelPredictor
from distkeras.preprocessing.preprocessor import Preprocessor
from distkeras.report.curves import convergence
from distkeras.storage import load_model, locate, publish_file, read_bytes, spark_url, write_json

#: Of Okabe and Ito: told apart by the colour-blind too.
EACH, ALL, TEST = "#56B4E9", "#0072B2", "#D55E00"


def draw(history: History, accuracy: float) -> Any:
    """A figure of three panels; ``accuracy`` on the test rows, 0 to 1, is a line in one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.4), layout="constrained")
    panels = figure.subplots(1, 3)
    units = {"loss": "cross-entropy, nats", "accuracy": "share of the rows"}
    for panel, (name, unit) in zip(panels, units.items(), strict=False):
        if curve := convergence(history.to_arrow(), name):
            for number, line in enumerate(curve.workers):
                once = None if number else "a worker"
                panel.plot(line.samples / 1000, line.values, color=EACH, lw=1, label=once)
            panel.plot(curve.mean.samples / 1000, curve.mean.values, color=ALL, label="all workers")
        panel.set(title=f"{name.capitalize()} on the training rows", ylabel=f"{name} ({unit})")
        panel.set_xlabel("samples merged into the center, thousands")
    panels[1].axhline(accuracy, color=TEST, ls="--", label="the model, on the test rows")
    for worker in sorted({record.worker for record in history.records}):
        records = of_worker(history, worker)
        seconds = [record.timestamp - history.records[0].timestamp for record in records]
        panels[2].plot(seconds, np.cumsum([r.exchange_wait for r in records]), color=EACH, lw=1)
    panels[2].set(title="Waiting for the center", ylabel="wait of a worker until then, s")
    panels[2].set_xlabel("time since the first update, s")
    lines = panels[1].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(f"{accuracy:.2%} of the test rows are right")
    return figure


def run(folder: Any, master: str | None) -> dict[str, Any]:
    """Writes FOLDER/analysis, in place of what may be there; returns the measures."""
    classes = Preprocessor.load(folder / "trained" / "preprocessor.json").classes
    model = load_model(folder / "trained" / "model.keras")
    history = pq.read_table(BytesIO(read_bytes(folder / "trained" / "history.parquet")))
    test = spark_session("example 2", master).read.parquet(spark_url(folder / "data" / "test"))
    predicted = ModelPredictor(model, loss_col="loss").predict(test, keep=["label"])
    metrics = evaluate_predictions(predicted, classes=classes, loss_col="loss")
    with publish_file(folder / "analysis" / "history.png") as path:
        draw(History.from_arrow(history), metrics["accuracy"]).savefig(path, dpi=120)
    write_json(folder / "analysis" / "metrics.json", metrics)
    return metrics


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the example; ends with one line where something is wrong."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--folder", default="output/examples", help="(%(default)s)")
    parser.add_argument("--master", help="of Spark: yarn, spark://host:7077 (this machine)")
    asked = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        metrics = run(locate(asked.folder), asked.master)
    except DistkerasError as error:
        raise SystemExit(str(error)) from None
    right, frequent = metrics["accuracy"], metrics["most_frequent"]
    print(
        f"{right:.2%} of {metrics['rows']:,} test rows are right; always the same: {frequent:.2%}"
    )
    print(f"{asked.folder}/analysis: metrics.json, history.png")


if __name__ == "__main__":
    main()
