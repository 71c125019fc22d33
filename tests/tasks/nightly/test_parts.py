"""The parts of nightly retraining that need neither Spark nor Keras."""

from __future__ import annotations

import datetime
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from distkeras.errors import ConfigError, StorageError
from distkeras.preprocessing.drift import ColumnProfile, Profile, drifts
from tasks.nightly.nights import Model, Nights
from tasks.nightly.notice import notify
from tasks.nightly.promotion import baseline, decide, scores
from tasks.nightly.spec import NightlySpec
from tasks.nightly.validation import complaints
from tasks.nightly.warm_start import carried

MARCH = datetime.date(2013, 3, 1)
WINDOW = Profile(
    1000,
    {
        "delay": ColumnProfile(100, (300, 300, 300)),
        "carrier": ColumnProfile(0, (500, 500)),
        "late": ColumnProfile(0, (700, 300)),
    },
)


def day(**changes: Any) -> Profile:
    """A day like a tenth of the window, but for some columns."""
    columns = {
        "delay": ColumnProfile(10, (30, 30, 30)),
        "carrier": ColumnProfile(0, (50, 50)),
        "late": ColumnProfile(0, (70, 30)),
    }
    rows = changes.pop("rows", 100)
    return Profile(rows, columns | changes)


def said(found: Profile, days: int = 10, **limits: Any) -> list[str]:
    drift = drifts(WINDOW, found)
    return complaints(found, WINDOW, days, drift, NightlySpec(**limits), "late")


class TestValidation:
    def test_a_good_day(self) -> None:
        assert said(day()) == []

    @pytest.mark.parametrize("rows", [49, 201])
    def test_rows(self, rows: int) -> None:
        assert said(day(rows=rows))[0].startswith(f"{rows} rows, the window has 100 a day")

    def test_no_rows(self) -> None:
        assert said(Profile(0), days=0) == ["it has no rows"]

    def test_the_first_day_has_nothing_to_be_compared_with(self) -> None:
        assert said(day(rows=7, carrier=ColumnProfile(0, (0, 0), 7)), days=0) == []

    def test_missing_values(self) -> None:
        found = said(day(delay=ColumnProfile(40, (20, 20, 20))))
        assert found == ["delay: 40.0% missing, 10.0% in the window"]

    def test_new_categories(self) -> None:
        found = said(day(carrier=ColumnProfile(0, (47, 47), 6)), psi=1.0)
        assert found == [
            "carrier: 6.0% of the rows have a category that the window does not have, 5.0% may"
        ]
        assert said(day(carrier=ColumnProfile(0, (0, 0), 100)), psi_of={"carrier": math.inf}) == []

    def test_a_new_class_is_never_accepted(self) -> None:
        found = said(day(late=ColumnProfile(0, (70, 29), 1)))
        assert found == ["late: 1 rows of classes that the window does not have"]

    def test_drift_and_a_column_that_may(self) -> None:
        found = day(delay=ColumnProfile(10, (88, 1, 1)))
        assert [line.split(" against")[0] for line in said(found)] == [
            # 0.634 ln 2.90 + 2 * 0.317 ln 20.3, by the shares of 300.5 and of 88.5, 1.5, 1.5.
            "delay: a population stability index of 2.58"
        ]
        assert said(found, psi_of={"delay": math.inf}) == []


class TestSpec:
    @pytest.mark.parametrize("name", ["day.csv", "%Y-%m.csv", "%Y/%m/%d.csv", ".%Y-%m-%d.csv"])
    def test_a_file_has_the_whole_date_and_no_folder(self, name: str) -> None:
        with pytest.raises(ValidationError):
            NightlySpec(file=name)

    def test_a_files_name(self) -> None:
        assert NightlySpec(file="f%Y%m%d.parquet").file_of(MARCH) == "f20130301.parquet"

    def test_a_limit_is_above_zero(self) -> None:
        with pytest.raises(ValidationError, match="delay = 0"):
            NightlySpec(psi_of={"delay": 0.0})

    def test_the_measure_follows_the_label(self) -> None:
        assert NightlySpec().measure_for("classes") == "accuracy"
        assert NightlySpec().measure_for("regression") == "rmse"
        assert NightlySpec(measure="roc_auc").measure_for("classes") == "roc_auc"


class TestDecision:
    @pytest.mark.parametrize(
        ("new", "serving", "measure", "tolerance", "promote", "why"),
        [
            (0.8, None, "accuracy", 0, True, "accuracy 0.8000; it is the first"),
            (0.8, 0.8, "accuracy", 0, True, "not worse: accuracy 0.8000, the serving model has"),
            (0.7, 0.8, "accuracy", 0, False, "worse by 0.1000: accuracy 0.7000, the serving"),
            (0.79, 0.8, "accuracy", 0.02, True, "0.8000 (0.02 worse is allowed)"),
            (3.0, 2.0, "rmse", 0, False, "worse by 1.0000"),
            (1.0, 2.0, "rmse", 0, True, "not worse"),
            (None, 0.8, "roc_auc", 0, False, "cannot be measured on this day"),
            (0.8, math.nan, "accuracy", 0, True, "the serving model's cannot be measured"),
        ],
    )
    def test_all(
        self, new: Any, serving: Any, measure: str, tolerance: float, promote: bool, why: str
    ) -> None:
        before = None if serving is None else {measure: serving}
        found = decide({measure: new}, before, measure, tolerance)
        assert found.promote is promote
        assert why in found.why
        assert "\n" not in found.why

    def test_the_baseline_answers_what_training_had_most(self) -> None:
        balance = [
            {"class": "0", "train": 70, "test": 4, "test_share": 0.4},
            {"class": "1", "train": 30, "test": 6, "test_share": 0.6},
        ]
        manifest = {"label": {"column": "late", "balance": balance}}
        assert baseline(manifest, "accuracy") == 0.4
        assert baseline(manifest, "roc_auc") == 0.5
        assert baseline(manifest, "log_loss") is None
        assert scores({"new": {"accuracy": 0.7}}, manifest, "accuracy") == {
            "new": 0.7,
            "serving": None,
            "baseline": 0.4,
        }

    def test_the_baseline_of_a_quantity_is_the_trainings_mean(self) -> None:
        columns = {"y": {"train": {"mean": 1.0, "std": 9.0}, "test": {"mean": 4.0, "std": 4.0}}}
        manifest = {"label": {"column": "y", "balance": None}, "columns": columns}
        assert baseline(manifest, "rmse") == 5


class TestPointer:
    def test_it_names_the_model_and_the_one_before(self, tmp_path: Path) -> None:
        nights = Nights.of(str(tmp_path), "configs/flights.toml")
        assert nights.current() is None
        first, second = Model("2013-03-01", "2013-03-01"), Model("2013-03-02", "2013-03-02")
        nights.promote(first, None, "the first")
        nights.promote(second, first, "not worse")
        found = nights.current()
        assert found is not None
        assert (found.model, found.before, found.why) == (second, first, "not worse")
        path = tmp_path / "Nightly/flights/current.json"
        assert json.loads(path.read_text())["model"] == "models/2013-03-02"
        assert [each.name for each in path.parent.iterdir()] == ["current.json"]

    def test_promoting_again_after_a_kill_changes_nothing_else(self, tmp_path: Path) -> None:
        nights = Nights(str(tmp_path), "flights")
        for folder in ("2013-03-01-a", "2013-03-01-a", "2013-03-01-b"):
            nights.promote(Model("2013-03-01", folder), None, "the first")
        found = nights.current()
        assert found is not None
        assert (found.model.folder, found.before) == ("2013-03-01-b", None)

    def test_another_run_was_faster(self, tmp_path: Path) -> None:
        nights = Nights(str(tmp_path), "flights")
        nights.promote(Model("2013-03-02", "x"), None, "the first")
        with pytest.raises(StorageError, match="another run has promoted meanwhile"):
            nights.promote(Model("2013-03-03", "y"), Model("2013-03-01", "z"), "not worse")

    def test_a_damaged_pointer_is_named(self, tmp_path: Path) -> None:
        nights = Nights(str(tmp_path), "flights")
        nights.root.mkdir(parents=True)  # type: ignore[union-attr]
        (tmp_path / "Nightly/flights/current.json").write_text('{"night": "2013-03-01"}')
        with pytest.raises(StorageError, match=r"current\.json: is no pointer"):
            nights.current()

    def test_accepted_days_and_records(self, tmp_path: Path) -> None:
        nights = Nights(str(tmp_path), "flights")
        for number in (1, 3, 5):
            Path(nights.day(MARCH.replace(day=number))).mkdir(parents=True)
        (tmp_path / "Nightly/flights/days/.data_day=2013-03-02.staging-x").mkdir()
        found = nights.accepted(MARCH, MARCH.replace(day=4))
        assert [each.day for each in found] == [1, 3]
        assert list(nights.records()) == []
        assert nights.record(MARCH) is None


class TestWarmStart:
    OLD = (np.array([[1.0, 1], [2, 2]]), np.array([5.0, 6]), np.array([[7.0], [8]]))
    FRESH = (np.zeros((3, 2)), np.zeros(2), np.zeros((2, 1)))

    def test_the_same_features(self) -> None:
        fresh = [np.zeros_like(one) for one in self.OLD]
        assert carried(self.OLD, ["a", "b"], fresh, ["a", "b"]) is self.OLD

    def test_features_go_by_name(self) -> None:
        first, *others = carried(self.OLD, ["a", "b"], self.FRESH, ["b", "new", "a"])
        assert first.tolist() == [[2, 2], [0, 0], [1, 1]]
        assert [one.tolist() for one in others] == [[5, 6], [[7], [8]]]

    def test_features_that_only_changed_places(self) -> None:
        fresh = [np.zeros_like(one) for one in self.OLD]
        assert carried(self.OLD, ["a", "b"], fresh, ["b", "a"])[0].tolist() == [[2, 2], [1, 1]]

    @pytest.mark.parametrize(
        "fresh",
        [
            [np.zeros((3, 2)), np.zeros(2)],
            [np.zeros((3, 2)), np.zeros(2), np.zeros((2, 4))],
            [np.zeros((3, 4)), np.zeros(2), np.zeros((2, 1))],
        ],
    )
    def test_another_make(self, fresh: list[np.ndarray]) -> None:
        with pytest.raises(ConfigError):
            carried(self.OLD, ["a", "b"], fresh, ["a", "b", "c"])


class TestNotice:
    def test_the_command_reads_the_record(self, tmp_path: Path) -> None:
        code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
        notify([sys.executable, "-c", code, str(tmp_path / "said")], {"outcome": "kept"})
        assert json.loads((tmp_path / "said").read_text()) == {"outcome": "kept"}

    @pytest.mark.parametrize("command", [["/nowhere/command"], [sys.executable, "-c", "exit(3)"]])
    def test_a_failing_command_is_told(
        self, command: list[str], capfd: pytest.CaptureFixture[str]
    ) -> None:
        notify(command, {})
        assert capfd.readouterr().err.startswith("Nightly: nightly.notify failed: ")
