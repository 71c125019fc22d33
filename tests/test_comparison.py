"""The comparison as numbers, and as the page that a browser gets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from distkeras.report import Competitor, write_comparison
from distkeras.report.curves import cores, waits
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
    assert "On average it used 0.75 ." in page.text
    assert page.tags.count("figure") == page.tags.count("figcaption") == 7


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


def test_cores_and_waits_of_each_worker() -> None:
    # Two workers in turn, a window a second in all: each uses 1.5 s of a processor in 2 s.
    for worker, one in enumerate(cores(history())):
        np.testing.assert_allclose(one.values, 0.75)
        assert worker < one.seconds[0] < one.seconds[-1] < 38 + worker
    first, second = waits(history(windows=41))
    np.testing.assert_allclose(first.values, 0.002 * np.arange(1, 22))
    np.testing.assert_array_equal(first.seconds, np.arange(0, 41, 2))
    assert second.values[-1] == pytest.approx(0.04)


def test_what_was_not_measured_is_not_drawn() -> None:
    assert cores(history().drop_columns(["cpu_seconds"])) == []
    assert cores(history(windows=2)) == []  # A window of each: what it took is not known.
    assert cores(history(windows=0)) == waits(history(windows=0)) == []


COSTS = {
    "measured": "0123456789ab",
    "windows": 39,
    "batch_seconds": 0.0031,
    "batch_median_seconds": 0.0025,
    "service_seconds": 0.0012,
    "delay_seconds": 0.0004,
}


def of_workers(trainer: str, workers: int, simulated: bool = False) -> Competitor:
    config = {"loss": "mse", "trainer": trainer, "num_workers": workers, "simulated": simulated}
    config |= {"rho": 0.9 / workers}
    trained = {"config": config, **({"simulated": COSTS} if simulated else {})}
    name = f"{trainer} by {workers}"
    return competitor(name, 0.8, trained=trained, history=history(48, workers))


def test_simulated_variants_are_marked_and_win_no_race(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    slow = of_workers("ADAG", 1)
    quick = of_workers("ADAG", 4, simulated=True)
    found = write_comparison(path, "x.toml", [slow, of_workers("ADAG", 2), quick])
    assert [one.get("simulated") for one in found["variants"]] == [None, None, COSTS]
    assert found["best"] == {"exchange_wait": ["ADAG by 2"], "staleness": ["ADAG by 1"]}
    page = Page(path.read_text())
    assert "ADAG by 4 simulated" in page.text
    assert "ADAG by 4 (simulated)" in page.text
    assert "3.1 ms 2.5 ms 1.2 ms 0.4 ms 39 0123456789ab" in page.text
    assert "virtual seconds since the first window" in page.text
    rows = [measured(one, None) for one in (quick, quick)]
    assert best(rows, simulated=[True, True]) == best(rows)


def test_variants_that_differ_in_the_number_of_workers_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    given = [of_workers(name, number) for name in ("ADAG", "EASGD") for number in (1, 2)]
    write_comparison(path, "x.toml", [*given, of_workers("EASGD", 24, simulated=True)])
    text = Page(path.read_text()).text
    assert "ADAG 0.0 to 0.5 with 1 to 2 workers; EASGD 0.0 to 11.5 with 1 to 24 workers" in text
    assert "\u25cb simulated" in text
    write_comparison(path, "x.toml", [given[0], given[2]])
    assert "Number of workers" not in Page(path.read_text()).text
