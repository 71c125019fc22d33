"""Nights as luigi runs them: those without training alone, and the whole with a real Spark."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from distkeras.errors import ConfigError
from distkeras.storage import fingerprint, write_json
from tasks import Nightly
from tasks.config import load_experiment
from tasks.nightly.day import Day, RawDay
from tasks.nightly.nights import Model, Nights
from tests.tasks.workspace import Run, Workspace

NIGHTLY = """
[nightly]
window_days = 7
min_days = 1
psi = 2.0
tolerance = 1.0
notify = [{command}]
"""
TELL = "import sys; open('told.jsonl', 'a').write(sys.stdin.read())"
FIRST = datetime.date(2013, 1, 1)


def file_of(number: int) -> Path:
    return Path("days", f"2013-01-0{number}.csv")


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Six files of a hundred events each, and a config that takes them for days."""
    monkeypatch.chdir(tmp_path)
    for task in (Nightly, Day, RawDay):
        task.clear_instance_cache()
    made = Workspace.create(tmp_path, rows=600)
    command = ", ".join(json.dumps(word) for word in (sys.executable, "-c", TELL))
    config = Path("config.toml").read_text().replace('"events.csv"', '"days"\nformat = "csv"')
    config = config.replace("[train]\n", "[train]\nnum_workers = 1\n")
    Path("config.toml").write_text(config + NIGHTLY.format(command=command))
    header, *lines = Path("events.csv").read_text().splitlines()
    Path("days").mkdir()
    for number in range(1, 7):
        rows = [header, *lines[number - 1 :: 6]]
        file_of(number).write_text("\n".join(rows) + "\n")
    return made


def night(number: int) -> Nightly:
    return Nightly(date=FIRST.replace(day=number), config="config.toml")


def accept(number: int) -> None:
    """What ``Day`` leaves of a good day, but for the rows."""
    place = Nights("output", "config").day(FIRST.replace(day=number))
    Path(place).mkdir(parents=True)
    found = {"rows": 100, "drift": {"fWidth": 0.1}, "complaints": [], "seconds": 2.0}
    write_json(place / "_manifest.json", found)


def refuse(number: int) -> None:
    """What it leaves of a bad one."""
    place = Nights("output", "config").quarantine(FIRST.replace(day=number))
    Path(place).mkdir(parents=True)
    raw = fingerprint(file_of(number))
    found = {"raw": raw, "complaints": ["no rows", "no columns"], "seconds": 1.0}
    write_json(place / "manifest.json", found)


def told() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("told.jsonl").read_text().splitlines()]


class TestWithoutTraining:
    def test_a_day_that_is_not_there_yet(self) -> None:
        file_of(3).unlink()
        (raw,) = night(3).requires()["day"].requires().values()
        assert not raw.complete()
        assert raw.run is None

    def test_too_few_days(self) -> None:
        accept(1)
        night(1).run()
        record = night(1).nights.record(FIRST)
        assert record is not None
        assert record["outcome"] == "collected"
        assert record["why"] == "0 of at least 1 days in the window"
        assert night(1).complete()
        assert [each["outcome"] for each in told()] == ["collected"]
        page = Path("output/Nightly/config/trend.html").read_text()
        assert "too few days to train on: <b>1</b>" in page

    def test_a_bad_day_until_its_file_has_changed(self) -> None:
        accept(1)
        refuse(2)
        night(2).run()
        assert [(each["outcome"], each["why"]) for each in told()] == [
            ("quarantined", "no rows; no columns")
        ]
        assert night(2).complete()
        os.utime(file_of(2), (0, 0))
        assert not night(2).requires()["day"].complete()
        assert not night(2).complete()
        file_of(2).unlink()
        assert night(2).complete()

    def test_a_day_that_comes_when_a_newer_model_serves(self) -> None:
        accept(1)
        accept(2)
        night(2).nights.promote(Model("2013-01-03", "x"), None, "the first")
        night(2).run()
        assert told()[0]["outcome"] == "late"
        assert told()[0]["why"] == "the model of 2013-01-03 serves already"

    def test_after_a_kill_it_is_compared_with_what_served_before(self) -> None:
        nights, before = night(3).nights, Model("2013-01-02", "x")
        nights.promote(before, None, "the first")
        assert night(3)._serving() == before
        nights.promote(Model("2013-01-03", "y"), before, "not worse")
        assert night(3)._serving() == before

    def test_older_nights_come_first_and_one_at_a_time(self) -> None:
        assert night(1).priority > night(2).priority
        assert night(1).resources == night(2).requires()["day"].resources

    def test_the_experiment_of_a_night(self) -> None:
        accept(1)
        accept(2)
        made = load_experiment("config.toml", night(3)._overrides()).preprocess
        assert made.sources["accepted"].path == "output/Nightly/config/days"
        assert made.split.test_from == FIRST.replace(day=3)
        assert str(made.sql).endswith("BETWEEN DATE'2013-01-01' AND DATE'2013-01-03'")

    def test_nights_of_a_range(self) -> None:
        accept(1)
        night(1).run()
        dates = [FIRST, FIRST.replace(day=2)]

        def made(date: datetime.date) -> Nightly:
            return Nightly(date=date, config="config.toml")

        assert Nightly.bulk_complete.__func__(made, dates) == [FIRST]  # type: ignore[attr-defined]

    def test_the_source_with_the_days_is_named(self) -> None:
        with pytest.raises(ConfigError, match=r"nightly\.source = 'event': must be the source"):
            Nightly(date=FIRST, config="config.toml", set=("nightly.source=event",))


def outcomes() -> dict[int, str]:
    return {int(one["date"][-2:]): one["outcome"] for one in Nights("output", "config").records()}


def nights_of(workspace: Workspace, *dates: str) -> Run:
    params = json.dumps({"config": "config.toml"})
    span = ("--start", dates[0], "--stop", dates[1], "--days-back", "9999")
    options = ["RangeDaily", "--of", "Nightly", *span, "--of-params", params]
    return workspace.run([sys.executable, "-m", "luigi", "--module", "tasks", *options])


def test_a_corrupted_day_and_a_missing_one_stop_nothing(workspace: Workspace) -> None:
    good = file_of(3).read_text()
    header, *rows = good.splitlines()
    file_of(3).write_text("\n".join([header, *(f"?{row}" for row in rows)]) + "\n")
    shutil.move(file_of(4), "late.csv")
    first = nights_of(workspace, "2013-01-01", "2013-01-06")
    assert first.status == 20, first.stderr
    assert outcomes() == {1: "collected", 2: "promoted", 3: "quarantined", 5: "promoted"}
    assert [each["date"][-1] for each in told()] == ["1", "2", "3", "5"]
    nights = Nights("output", "config")
    current = nights.current()
    assert current is not None
    assert current.before is not None
    assert (current.model.night, current.before.night) == ("2013-01-05", "2013-01-02")
    assert (Path(nights.model(current.model.folder)) / "model.keras").exists()
    record = nights.record(FIRST.replace(day=5))
    assert record is not None
    assert record["window"] == ["2013-01-01", "2013-01-02"]
    assert record["started"] == f"from the weights of {current.before.folder}"
    assert record["scores"]["accuracy"]["serving"] is not None
    # What only the nights needed is gone.
    assert workspace.published("Preprocess") + workspace.published("Retrain") == []

    # The bad file is replaced, and the missing one arrives.
    file_of(3).write_text(good)
    shutil.move("late.csv", file_of(4))
    second = nights_of(workspace, "2013-01-01", "2013-01-06")
    assert second.status == 0, second.stderr
    assert outcomes() == {1: "collected", 2: "promoted", 3: "late", 4: "late", 5: "promoted"}
    assert nights.current() == current
    assert nights.accepted(FIRST, FIRST.replace(day=6)) == [
        FIRST.replace(day=number) for number in range(1, 6)
    ]
