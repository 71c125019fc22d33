"""The comparison as numbers, and as the page that a browser gets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from distkeras.report import Competitor, write_comparison
from distkeras.report.standings import best, measured
from tests.test_report import Page, classified, history

BINARY = classified(["g", "h"], binary=True)


def competitor(name: str, accuracy: float, loss: str = "mse", **changes: Any) -> Competitor:
    given: dict[str, Any] = {
        "overrides": (f"train.seed={len(name)}",),
        "metrics": {**BINARY, "accuracy": accuracy, "loss": 1 - accuracy},
        "history": history(),
        "trained": {"config": {"loss": loss}},
    }
    return Competitor(name, **(given | changes))


FAILED = Competitor("broken", ("train.seed=9",), failed="Train: the loss is not finite")


def test_a_row_of_the_table() -> None:
    row = measured(competitor("a", 0.8), ("loss", 0.5))
    assert row["accuracy"] == 0.8
    assert row["roc_auc"] == 0.9
    assert row["updates"] == 40
    assert row["seconds"] == 39
    assert row["samples_per_second"] == pytest.approx(39 * 384 / 39)
    assert row["exchange_wait"] == pytest.approx(40 * 0.002 / 2)
    assert row["staleness"] == 0.5
    # 0.3 + 0.4 * 0.9 ** n is below 0.5 from the seventh window on.
    assert row["seconds_to_target"] == 7
    assert row["rmse"] is None


@pytest.mark.parametrize(
    ("target", "expected"),
    [(None, None), (("loss", 0.1), None), (("accuracy", 0.6), 0), (("auc", 0.1), None)],
)
def test_time_to_target(target: tuple[str, float] | None, expected: float | None) -> None:
    assert measured(competitor("a", 0.8), target)["seconds_to_target"] == expected


def test_what_failed_has_no_numbers() -> None:
    assert set(measured(FAILED, ("loss", 0.5)).values()) == {None}


def test_the_best_are_marked_where_there_is_a_better_side() -> None:
    rows = [measured(competitor(*each), None) for each in (("a", 0.8), ("b", 0.9), ("c", 0.9))]
    found = best([*rows, measured(FAILED, None)])
    assert found == {"accuracy": [1, 2], "loss": [1, 2]}
    assert best(rows, loss=False) == {"accuracy": [1, 2]}


def test_the_page_and_the_numbers(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    given = [competitor("adag", 0.8), FAILED, competitor("easgd", 0.85)]
    found = write_comparison(path, "configs/magic.toml", given, ("accuracy", 0.7))
    assert [one["name"] for one in found["variants"]] == ["adag", "broken", "easgd"]
    assert found["variants"][1] == {
        "name": "broken",
        "overrides": ["train.seed=9"],
        "failed": "Train: the loss is not finite",
    }
    assert found["best"] == {"accuracy": ["easgd"], "loss": ["easgd"]}
    assert found["target"] == {"accuracy": 0.7}
    page = Page(path.read_text())
    assert "is the best accuracy on the test split: easgd . 1 of 3 variants failed." in page.text
    assert "Train: the loss is not finite" in page.text
    assert "Dashed: the target, 0.7." in page.text
    assert "adag is through first, after 39.0 s ." in page.text
    assert "seconds since the first window" in page.text
    assert "were trained at the same time" in page.text
    assert page.tags.count("figure") == page.tags.count("figcaption") == 5


@pytest.mark.parametrize(
    "given",
    [
        [FAILED],
        [competitor("<script>alert(1)</script>", 0.8), competitor("b & c", float("nan"))],
        [competitor(f"variant {number}", 0.8 + number / 1000) for number in range(30)],
        [competitor("a", 0.8, loss="mae"), competitor("b", 0.8)],
        [competitor("a", 0.8, history=history(windows=0)), competitor("b", 0.8)],
        [competitor("a", 0.8, history=history().drop_columns(["accuracy"])), competitor("b", 0.8)],
        [
            competitor(name, 0.8, metrics={"kind": "regression", "rmse": value, "loss": value})
            for name, value in (("a", 20.5), ("b", 21.5))
        ],
    ],
    ids=["failed", "evil", "thirty", "losses", "no history", "no accuracy", "regression"],
)
def test_the_page_stands_alone_and_is_well_formed(tmp_path: Path, given: list[Competitor]) -> None:
    path = tmp_path / "report.html"
    write_comparison(path, "configs/magic.toml", given)
    raw = path.read_text(encoding="utf-8")
    page = Page(raw)
    assert all(address.startswith("#") for address in page.addresses)
    assert {"script", "link", "img", "iframe", "object"}.isdisjoint(page.tags)
    assert len(page.ids) == len(set(page.ids))
    assert not re.search(r"\b(nan|None|NaN|inf)\b", page.text)
    assert "default-src 'none'" in raw
    assert not re.search(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]\b", raw)


def test_losses_of_two_kinds_are_not_compared(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    given = [competitor("a", 0.8, loss="mae"), competitor("b", 0.9)]
    assert "loss" not in write_comparison(path, "x.toml", given)["best"]
    assert "minimize different losses" in Page(path.read_text()).text


def test_of_very_many_the_best_are_drawn(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    given = [competitor(f"v{number}", 0.8 + number / 1000) for number in range(30)]
    write_comparison(path, "x.toml", given)
    raw = path.read_text()
    assert "The 12 variants with the best results are drawn." in raw
    legend = re.search(r'<ul class="legend">(.*?)</ul>', raw)
    assert legend is not None
    names = re.findall(r"</svg>(v\d+)<", legend[1])
    assert names == [f"v{number}" for number in range(18, 30)]


def test_times_count_from_the_first_window() -> None:
    late = history()
    times = pa.array(late["timestamp"].to_numpy() + 1e6)
    moved = late.set_column(late.column_names.index("timestamp"), "timestamp", times)
    rows = [measured(competitor("a", 0.8, history=one), ("loss", 0.5)) for one in (late, moved)]
    assert rows[0] == rows[1]
    assert np.isfinite(rows[0]["seconds_to_target"] or np.nan)
