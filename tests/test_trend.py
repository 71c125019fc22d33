"""The page of all nights, as a browser gets it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distkeras.report import write_trend
from distkeras.report.trend_figures import Series, _stretches
from tests.test_report import Page

START = datetime.date(2013, 2, 1)


def night(number: int, outcome: str = "promoted", **changes: Any) -> dict[str, Any]:
    chance = np.random.default_rng(number)
    record = {
        "date": (START + datetime.timedelta(days=number)).isoformat(),
        "outcome": outcome,
        "why": f"night {number} & why",
        "rows": int(chance.integers(600, 1000)),
        "measure": "roc_auc",
        "drift": {f"column{i}": float(chance.random() / (i + 2)) for i in range(8)},
        "seconds": 30 + 10 * float(chance.random()),
    }
    if outcome in ("promoted", "kept"):
        serving = 0.75 + 0.1 * float(chance.random())
        scores = {"new": serving + 0.01, "serving": serving, "baseline": serving - 0.05}
        scores = scores if number else scores | {"serving": None}
        record["scores"] = {"accuracy": scores, "roc_auc": scores | {"baseline": 0.5}}
    return record | changes


def nights(count: int) -> list[dict[str, Any]]:
    outcomes = {5: "quarantined", 9: "late", 12: "kept"}
    there = (number for number in range(count) if number != 7)
    return [night(number, outcomes.get(number, "promoted")) for number in there]


def test_the_page(tmp_path: Path) -> None:
    given = nights(30)
    path = tmp_path / "trend.html"
    write_trend(path, "flights <1>", given)
    page = Page(path.read_text())
    assert page.tags.count("figure") == 5
    assert page.tags.count("figcaption") == 5
    assert "29 nights flights <1>" in page.text
    assert "is above the serving one by 0.0100 on average over 26 nights" in page.text
    assert page.text.index("ROC AUC on each day") < page.text.index("Accuracy on each day")
    assert "No record in between: 2013-02-08." in page.text
    assert "a bad day is marked" in page.text
    assert "Drawn are 6 of 8 columns." in page.text
    assert "night 5 & why" in page.text
    # Nights with a model have a report of their own.
    linked = [each for each in page.addresses if not each.startswith("#")]
    dates = [one["date"] for one in reversed(given) if "scores" in one]
    assert linked == [f"nights/{date}/report.html" for date in dates]
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize("outcome", ["promoted", "quarantined", "collected"])
def test_one_night(tmp_path: Path, outcome: str) -> None:
    write_trend(tmp_path / "trend.html", "flights", [night(0, outcome)])
    assert Page((tmp_path / "trend.html").read_text()).text.count("2013-02-01") >= 2


def test_a_night_that_knows_only_its_outcome(tmp_path: Path) -> None:
    record = {"date": "2013-02-01", "outcome": "quarantined", "why": "not UTF-8"}
    write_trend(tmp_path / "trend.html", "flights", [record])
    page = Page((tmp_path / "trend.html").read_text())
    assert page.tags.count("figure") == 0
    assert "No model was promoted yet." in page.text


def test_a_bad_day_without_rows(tmp_path: Path) -> None:
    write_trend(tmp_path / "trend.html", "flights", [night(0), night(1, "quarantined", rows=None)])
    text = Page((tmp_path / "trend.html").read_text()).text
    assert "on average; not readable: 2013-02-02." in text


def test_lines_end_at_gaps() -> None:
    dates = [START + datetime.timedelta(days=number) for number in (0, 1, 4)]
    assert list(_stretches(Series(dates, [1.0, 2.0, 3.0], 0))) == [
        (dates[:2], [1.0, 2.0]),
        (dates[2:], [3.0]),
    ]
