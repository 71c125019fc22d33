"""The report's page: what is on it, in which order, in which words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa

from distkeras import storage
from distkeras.report import figures, made
from distkeras.report.curves import Curve, convergence, measures
from distkeras.report.markup import definitions, figure, number, percent, plain, score, table
from distkeras.report.style import whole_page

__all__ = ["write_report"]

Metrics = Mapping[str, Any]

# A table of so many classes stands beside the matrix, a longer one below.
_BESIDE = 12


def write_report(
    path: storage.Url, metrics: Metrics, history: pa.Table, manifests: made.Manifests
) -> None:
    """Writes one self-contained HTML page about a model: how good it is, and what made it.

    Args:
        path: the file to write.
        metrics: from ``evaluate_predictions``.
        history: from ``History.to_arrow``: one row a window with worker, epoch, samples, loss,
            metrics, staleness, exchange_wait, cpu_seconds and timestamp (seconds since 1970).
        manifests: what the tasks wrote about themselves, by name (``"preprocess"``, ``"train"``);
            whatever is missing is left out.
    """
    storage.write_bytes(path, _page(metrics, history, manifests).encode())


def _page(metrics: Metrics, history: pa.Table, manifests: made.Manifests) -> str:
    name = Path(str(made.part(manifests.get("train"), "task", "config_file") or "Model")).stem
    body = [
        f'<header><p class="over">distkeras: evaluation on {number(metrics["rows"])} test rows</p>'
        f"<h1>{escape(name)}</h1></header>",
        _headline(metrics),
        *_training(history),
        *(_classes(metrics) if metrics["kind"] == "classes" else _regression(metrics)),
        *_made(manifests, history),
    ]
    return whole_page(f"{escape(name)}: {_title(metrics)}", body)


def _title(metrics: Metrics) -> str:
    if metrics["kind"] == "classes":
        return f"accuracy {percent(metrics['accuracy'])}"
    return f"RMSE {number(metrics['rmse'])}"


def _headline(metrics: Metrics) -> str:
    if metrics["kind"] == "classes":
        big, words = percent(metrics["accuracy"]), _in_words(metrics)
        names = ("roc_auc", "loss", "log_loss")
        tiles = [("Accuracy", score(metrics["accuracy"]))]
    else:
        big, words = number(metrics["rmse"]), "root mean squared error, in the label's unit."
        names = ("mae", "r2", "loss")
        tiles = [("RMSE", number(metrics["rmse"]))]
    titles = {
        "roc_auc": "ROC AUC",
        "loss": "Loss",
        "log_loss": "Log-loss",
        "mae": "MAE",
        "r2": "R²",
    }
    tiles += [
        (titles[each], score(metrics[each])) for each in names if metrics.get(each) is not None
    ]
    tiles.append(("Test rows", number(metrics["rows"])))
    lead = f'<div class="lead"><strong>{big}</strong><span>{words}</span></div>'
    return lead + definitions(tiles, "tiles")


def _in_words(metrics: Metrics) -> str:
    right = round(metrics["accuracy"] * metrics["rows"])
    support = {str(row["class"]): row["support"] for row in metrics["per_class"]}
    most = escape(max(support, key=lambda name: support[name]))
    return (
        f"of the test rows are classified right: {right:,} of {metrics['rows']:,}. "
        f"Always answering {most} would give {percent(metrics['most_frequent'])}."
    )


def _training(history: pa.Table) -> Iterator[str]:
    curves = [convergence(history, name) for name in measures(history)] if history.num_rows else []
    known = [curve for curve in curves if curve is not None]
    if not known:
        return
    epochs = int(history["epoch"].to_numpy().max()) + 1
    yield '<h2>Training</h2><div class="pair">'
    for curve in known:
        yield figure(figures.convergence_figure(curve, epochs), _converged(curve))
    yield "</div>"


def _converged(curve: Curve) -> str:
    name, mean = escape(curve.name), curve.mean.values
    moved = f"went from <b>{mean[0]:.3g}</b> to <b>{mean[-1]:.3g}</b>"
    if curve.number == 1:
        return f"Training {name} {moved}; the faint line is less smoothed."
    shown = "" if len(curve.workers) == curve.number else f"{len(curve.workers)} of "
    return (
        f"Training {name} {moved}: the mean over all workers, with {shown}the {curve.number} "
        "workers as faint lines."
    )


def _classes(metrics: Metrics) -> Iterator[str]:
    yield '<h2>On the test split</h2><div class="pair">'
    drawn = figures.confusion_figure(metrics["confusion"], metrics["classes"])
    yield figure(drawn, _confused(metrics))
    if metrics.get("roc"):
        roc = metrics["roc"]
        curve = (roc["false_positive_rate"], roc["true_positive_rate"])
        yield figure(figures.roc_figure(*curve, metrics["roc_auc"]), _ranked(metrics))
        yield f'</div><div class="card">{_per_class(metrics)}</div>'
    elif len(metrics["classes"]) <= _BESIDE:
        yield f'<div class="card">{_per_class(metrics)}</div></div>'
    else:
        yield f'</div><div class="card">{_per_class(metrics)}</div>'


def _confused(metrics: Metrics) -> str:
    """The most frequent confusion, as a sentence."""
    names, confusion = metrics["classes"], metrics["confusion"]
    cells = [
        (count, true, predicted)
        for true, row in enumerate(confusion)
        for predicted, count in enumerate(row)
        if true != predicted
    ]
    count, true, predicted = max(cells)
    if not count:
        return "Every row was predicted as the class that it is."
    share = percent(count / sum(confusion[true]))
    return (
        f"The most frequent confusion: <b>{share}</b> of true {plain(names[true])} are taken for "
        f"{plain(names[predicted])} ({count:,} rows); colours are shares of the true class."
    )


def _ranked(metrics: Metrics) -> str:
    first, second = (plain(name) for name in metrics["classes"])
    return (
        f"A random row of class {second} gets a higher score for it than a random row of class "
        f"{first} in <b>{percent(metrics['roc_auc'])}</b> of all pairs."
    )


def _per_class(metrics: Metrics) -> str:
    measured = ["precision", "recall", "f1"]
    if len(metrics["classes"]) > 2:
        measured.append("roc_auc")
    heads = {"f1": "F1", "roc_auc": "ROC AUC", "precision": "Precision", "recall": "Recall"}
    rows = [
        [plain(row["class"]), *(score(row[name]) for name in measured), f"{row['support']:,}"]
        for row in metrics["per_class"]
    ]
    means = {**metrics["macro"], "roc_auc": metrics["roc_auc"]}
    mean = [*(score(means[name]) for name in measured), ""]
    shown = table(["Class", *(heads[name] for name in measured), "Rows"], [*rows, ["mean", *mean]])
    # The last row is the mean of those above it.
    head, _, tail = shown.rpartition("<tr>")
    return f'{head}<tr class="total">{tail}'


def _regression(metrics: Metrics) -> Iterator[str]:
    quantiles = metrics["error_quantiles"]
    low, high = number(quantiles[5], 3), number(quantiles[95], 3)
    caption = f"Nine of ten errors (prediction - label) lie between <b>{low}</b> and <b>{high}</b>."
    drawn = figures.error_figure(quantiles)
    yield f'<h2>On the test split</h2><div class="pair">{figure(drawn, caption)}</div>'


def _made(manifests: made.Manifests, history: pa.Table) -> Iterator[str]:
    yield "<h2>What made it</h2>"
    if facts := made.facts(manifests, history):
        yield f'<div class="card">{facts}</div>'
    if bars := made.durations(manifests):
        yield f'<h2>Where the time went</h2><div class="card">{bars}</div>'
    if everything := made.everything(manifests):
        yield f'<h2 class="made">Manifests</h2><div class="card made">{everything}</div>'
