"""How well do the nights predict, and what would another model reach on the same rows?

Of each night that trained: the new model's ROC AUC on its day, that of the serving one, and what
scikit-learn's logistic regression and gradient boosting reach, fitted anew on the same window.
None of them has seen the day. What the nights have left below output/ is read, nothing is run.

    python benchmarks/nights.py                   # after some nights, see docs/nightly.md
    python benchmarks/nights.py --full            # the same, and keeps the figures in results/
    python benchmarks/nights.py --show            # only prints what was measured before
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd
import results_file
from rich.console import Console
from rich.table import Table
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from distkeras.storage import read_json
from tasks.config import load_experiment
from tasks.nightly.day import DAY_MANIFEST
from tasks.nightly.nights import Nights

MODELS = ("new", "serving", "logistic", "boosting")


def logistic(numbers: Sequence[str], categories: Sequence[str]) -> Pipeline:
    """A linear model of one-hot categories and scaled numbers."""
    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    encoded = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer((encoded, categories), (scaled, numbers))
    return make_pipeline(columns, LogisticRegression(C=0.3, max_iter=500))


def boosting(numbers: Sequence[str], categories: Sequence[str]) -> Pipeline:
    """Trees, as many and as small as suit some 20,000 rows."""
    encoded = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((encoded, categories), ("passthrough", numbers))
    trees = HistGradientBoostingClassifier(
        max_iter=80, learning_rate=0.08, max_leaf_nodes=15, min_samples_leaf=40, random_state=0
    )
    return make_pipeline(columns, trees)


def reached(nights: Nights, record: dict[str, Any], label: str) -> dict[str, float]:
    """What both reach on the day of a night, fitted on its window."""
    day = datetime.date.fromisoformat(record["date"])
    window = [datetime.date.fromisoformat(one) for one in record["window"]]
    roles = read_json(nights.day(day) / DAY_MANIFEST)["columns"]
    numbers, categories = roles["numbers"], [c for c in roles["categories"] if c != label]
    train = pd.concat([pd.read_parquet(str(nights.day(one))) for one in window])
    test = pd.read_parquet(str(nights.day(day)))
    features, found = [*categories, *numbers], {}
    for make in (logistic, boosting):
        fitted = make(numbers, categories).fit(train[features], train[label])
        probable = fitted.predict_proba(test[features])[:, 1]
        found[make.__name__] = round(float(roc_auc_score(test[label], probable)), 4)
    return found


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """The figures of all nights."""
    experiment = load_experiment(asked.config, ())
    nights = Nights.of(asked.output or experiment.output, asked.config)
    found = []
    for record in nights.records():
        night = {key: record.get(key) for key in ("date", "outcome", "rows")}
        if "scores" in record:
            scores = record["scores"]["roc_auc"]
            night |= {name: scores[name] and round(scores[name], 4) for name in MODELS[:2]}
            night |= reached(nights, record, experiment.preprocess.label.column)
        found.append(night)
    return {"config": Path(asked.config).name, "nights": found}


def show(figures: dict[str, Any]) -> None:
    """Prints a line for each night, and the means of those that have all four."""
    table = Table("night", "outcome", "rows", *MODELS)
    for night in figures["nights"]:
        cells = [_shown(night.get(name)) for name in MODELS]
        rows = "" if night["rows"] is None else f"{night['rows']:,}"
        table.add_row(night["date"], night["outcome"], rows, *cells)
    whole = [one for one in figures["nights"] if all(one.get(name) for name in MODELS)]
    if whole:
        means = [_shown(mean(one[name] for one in whole)) for name in MODELS]
        table.add_section()
        table.add_row("mean", f"of {len(whole)}", "", *means)
    Console(width=100).print(table)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def main() -> None:
    """Measures, or with ``--show`` prints what was measured."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--config", default="configs/flights.toml", help="%(default)s")
    parser.add_argument("--output", help="where the results are; default: as the config says")
    show(results_file.measured_or_kept("nights", parser, {}, measure))


if __name__ == "__main__":
    main()
