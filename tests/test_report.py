"""The report as a browser gets it: whole, alone, escaped; and the arithmetic of its curves."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from distkeras.report import write_report
from distkeras.report.curves import convergence, measures
from distkeras.report.figures import confusion_figure
from distkeras.report.markup import nested, number, plain, score, seconds
from distkeras.scores import class_scores, macro

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Checks that every element is closed where it should be, and keeps what a test asks for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        self.ids += [found["id"]] if found.get("id") else []
        names = ("href", "src", "xlink:href", "action", "data", "srcset")
        self.addresses += [found[name] or "" for name in names if name in found]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)


def history(windows: int = 40, workers: int = 2) -> pa.Table:
    number = np.arange(windows)
    return pa.table(
        {
            "worker": pa.array(number % workers, pa.int32()),
            "epoch": pa.array(number * 5 // windows, pa.int32()),
            "window": number // workers,
            "samples": np.full(windows, 384),
            "accuracy": pa.array(0.9 - 0.3 * 0.9**number, pa.float32()),
            "loss": pa.array(0.3 + 0.4 * 0.9**number, pa.float32()),
            "staleness": pa.array(number % workers, pa.int32()),
            "exchange_wait": np.full(windows, 0.002),
            "cpu_seconds": np.full(windows, 1.5),
            "timestamp": 1e9 + number.astype(float),
        }
    )


def classified(names: list[object], binary: bool = False) -> dict[str, object]:
    size = len(names)
    confusion = np.full((size, size), 5) + np.diag(np.arange(size) + 20)
    per_class = [{**row, "roc_auc": 0.9} for row in class_scores(confusion, names)]
    rows = int(confusion.sum())
    roc = {"false_positive_rate": [0, 0.1, 1], "true_positive_rate": [0, 0.8, 1]}
    return {
        "kind": "classes",
        "rows": rows,
        "accuracy": float(np.trace(confusion) / rows),
        "loss": 0.4,
        "log_loss": 0.41,
        "most_frequent": 0.6,
        "classes": names,
        "confusion": confusion.tolist(),
        "per_class": per_class,
        "roc_auc": 0.9,
        "roc": roc if binary else None,
        "macro": {name: macro(per_class, name) for name in ("precision", "recall", "f1")},
    }


REGRESSION = {
    "kind": "regression",
    "rows": 4000,
    "loss": 420.25,
    "rmse": 20.5,
    "mae": 13.2,
    "r2": None,
    "error_quantiles": np.linspace(-60, 40, 101).tolist(),
}
TASK = {
    "config_file": "configs/magic.toml",
    "overrides": ["train.num_workers=4"],
    "seconds": 130.2,
    "phases": {"training": 100.0, "saving the model": 0.001},
    "versions": {"python": "3.11.2", "keras": "3.15.0"},
    "finished": "2030-01-02T03:04:05+00:00",
}
MANIFESTS = {
    "preprocess": {
        "spec": {"split": {"seed": 3}},
        "columns": {"a": {"mean": 1.5, "max": 2}, "b": {"mean": -2.5, "max": None}},
        "dropped": {},
    },
    "train": {
        "config": {
            "trainer": "ADAG",
            "num_workers": 4,
            "num_epoch": 1,
            "seed": 7,
            "loss": "mse",
            "model": {"function": "examples.models:mlp", "arguments": {"hidden": [64, 32]}},
            "worker_optimizer": {"name": "adam", "learning_rate": 0.002},
        },
        "parameters": 4994,
        "rows": 15216,
        "rows_merged": 228240,
        "task": TASK,
    },
}


def page(path: Path, metrics: dict[str, object], *rest: object) -> Page:
    write_report(path, metrics, *rest)
    return Page(path.read_text(encoding="utf-8"))


def test_two_classes(tmp_path: Path) -> None:
    metrics = classified(["g", "h"], binary=True)
    found = page(tmp_path / "report.html", metrics, history(), MANIFESTS)
    assert found.tags.count("figure") == found.tags.count("figcaption") == 4
    assert found.tags.count("svg") == 4
    assert f"{metrics['accuracy']:.1%} of the test rows are classified right" in found.text
    assert "Always answering h would give 60.0%" in found.text
    assert "samples merged (5 epochs)" in found.text
    assert "area 0.900" in found.text
    for fact in (
        "ADAG, 4 workers, 1 epoch",
        "adam (learning_rate 0.002)",
        "examples.models:mlp(hidden=[64, 32]), 4,994 parameters",
        "15,216 for training, 228,240 merged in all epochs",
        "40; each 0.5 updates stale on average, 2 ms of waiting",
        "training 7, split 3",
        "configs/magic.toml --set train.num_workers=4",
        "2030-01-02 03:04:05 UTC",
        "python 3.11.2, keras 3.15.0",
    ):
        assert fact in found.text
    page_proper = found.text.split("Manifests")[0]
    assert "training 1 min 40 s other 30.2 s all 2 min 10 s" in page_proper
    assert "saving the model" not in page_proper
    bars = re.findall(r"width:([\d.]+)%", (tmp_path / "report.html").read_text())
    assert max(map(float, bars)) == 100


@pytest.mark.parametrize(
    ("metrics", "rows", "manifests"),
    [
        (classified(["g", "h"], binary=True), history(), MANIFESTS),
        (classified(list(range(5))), history(workers=60, windows=120), {}),
        (classified([f"class {number}" for number in range(30)]), history(), MANIFESTS),
        (REGRESSION, history(workers=1), {"train": {}}),
        (REGRESSION, history(windows=0), {}),
        (classified(["g", "h"]), history().drop_columns(["accuracy"]), {"other": {"a": [1, 2]}}),
    ],
    ids=["binary", "five", "thirty", "regression", "no history", "odd"],
)
def test_the_page_stands_alone_and_is_well_formed(
    tmp_path: Path, metrics: dict, rows: pa.Table, manifests: dict
) -> None:
    found = page(tmp_path / "report.html", metrics, rows, manifests)
    assert found.tags.count("figure") == found.tags.count("figcaption") > 0
    assert all(address.startswith("#") for address in found.addresses)
    assert {"script", "link", "img", "iframe", "object"}.isdisjoint(found.tags)
    assert len(found.ids) == len(set(found.ids))
    assert not re.search(r"\b(nan|None|NaN|inf)\b", found.text)
    raw = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in raw
    without_names = raw.replace("http://www.w3.org/2000/svg", "")
    assert "://" not in without_names.replace("http://www.w3.org/1999/xlink", "")
    assert not re.search(r"url\((?!#)", raw)
    assert not re.search(
        r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]\b", raw
    )  # a colour that stayed a placeholder


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    for path in (first, second):
        write_report(path, classified(["g", "h"], binary=True), history(), MANIFESTS)
    assert first.read_bytes() == second.read_bytes()


def test_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    evil = "<script>alert('$x$')</script>"
    manifests = {
        evil: {evil: {"a": evil}},
        "train": {
            "config": {"trainer": evil},
            "task": {**TASK, "config_file": f"configs/{evil}.toml", "versions": {evil: evil}},
        },
    }
    found = page(tmp_path / "report.html", classified([evil, "b&c"], True), history(), manifests)
    assert "script" not in found.tags
    assert evil in found.text
    assert "b&c" in found.text


def test_curves_are_means_weighted_by_rows_in_the_order_of_merging() -> None:
    table = pa.table(
        {
            "worker": pa.array([1, 0, 0], pa.int32()),
            "samples": [100, 300, 100],
            "loss": [4.0, 2.0, float("nan")],
            "timestamp": [2.0, 1.0, 3.0],
        }
    )
    curve = convergence(table, "loss")
    assert curve is not None
    np.testing.assert_allclose(curve.mean.samples, [300, 400])
    np.testing.assert_allclose(curve.mean.values, [2, 4])
    np.testing.assert_allclose(curve.workers[0].values, [2])
    np.testing.assert_allclose(curve.workers[1].samples, [400])
    assert convergence(table.slice(2), "loss") is None


def test_a_long_run_of_many_workers_stays_small() -> None:
    curve = convergence(history(windows=20_000, workers=200), "loss")
    assert curve is not None
    assert (curve.number, len(curve.workers)) == (200, 24)
    assert len(curve.mean.samples) == 60
    assert max(len(line.samples) for line in curve.workers) <= 150
    rows = np.full(60, 20_000 * 384 / 60)
    total = np.average(curve.mean.values, weights=rows)
    expected = np.mean(history(windows=20_000)["loss"].to_numpy())
    assert total == pytest.approx(expected, rel=1e-2)


def test_the_loss_comes_first() -> None:
    assert measures(history()) == ["loss", "accuracy"]


def test_a_large_matrix_shows_no_numbers() -> None:
    small, large = (np.full((size, size), 777) for size in (3, 13))
    assert confusion_figure(small, "abc").count("777") == 9
    assert "777" not in confusion_figure(large, list(range(13)))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (number(1234567), "1,234,567"),
        (number(-0.000123456), "\u22120.0001235"),
        (number(3.0), "3"),
        (number(None), "\u2013"),
        (number(float("nan")), "\u2013"),
        (score(0.95), "0.9500"),
        (score(422.93), "422.9"),
        (seconds(3.25), "3.2 s"),
        (seconds(7322), "2 h 2 min"),
        (plain([1, None, "<"]), "1, \u2013, &lt;"),
        (plain(True), "yes"),
        (plain("x" * 500), "x" * 399 + "\u2026"),
    ],
)
def test_values_for_readers(shown: str, expected: str) -> None:
    assert shown == expected


def test_parts_of_one_shape_become_a_table() -> None:
    assert "<table" in nested(MANIFESTS["preprocess"]["columns"])
    assert "<table" not in nested(MANIFESTS["train"])


def test_importing_the_report_imports_nothing_heavy() -> None:
    code = (
        "import sys, distkeras.report, distkeras.predictors, distkeras.evaluators;"
        "print({'keras', 'tensorflow', 'pyspark', 'matplotlib'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"
