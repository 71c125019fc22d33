"""A day's rows in Spark: written so that all days are one table, and counted against the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distkeras.errors import DataError
from distkeras.preprocessing.daily import DailyColumns, write_day
from distkeras.preprocessing.drift import ColumnProfile, drifts
from distkeras.preprocessing.profiles import profiles
from distkeras.preprocessing.spec import PreprocessSpec

COLUMNS = DailyColumns(("delay",), ("carrier", "late"))


def spec(path: Path, **changes: Any) -> PreprocessSpec:
    given: dict[str, Any] = {
        "sources": {"flights": {"path": str(path)}},
        "categorical": {"columns": ["carrier"]},
        "missing": {"values": ["NA"]},
        "label": {"column": "late"},
    }
    return PreprocessSpec.model_validate(given | changes)


def written(spark: Any, folder: Path, name: str, *rows: str) -> Any:
    """A day's rows, read back."""
    (folder / f"{name}.csv").write_text("\n".join(["carrier,delay,late", *rows]) + "\n")
    place = folder / "days" / f"data_day={name}"
    place.mkdir(parents=True)
    assert write_day(spark, spec(folder / f"{name}.csv"), place) == COLUMNS
    return spark.read.parquet(str(folder / "days"))


def test_days_are_one_table_whatever_their_values_suggest(spark: Any, tmp_path: Path) -> None:
    written(spark, tmp_path, "2013-01-01", "AA,1,0", "UA,NA,1")
    # A column without a value, one of numbers that were names, and one of fractions.
    written(spark, tmp_path, "2013-01-02", "7,,1", "8,,0")
    table = written(spark, tmp_path, "2013-01-03", " AA ,2.5,1")
    assert dict(table.dtypes) == {
        "delay": "double",
        "carrier": "string",
        "late": "string",
        "data_day": "date",
    }
    rows = table.orderBy("data_day", "carrier").collect()
    assert [(row.carrier, row.delay, row.late) for row in rows] == [
        ("AA", 1.0, "0"),
        ("UA", None, "1"),
        ("7", None, "1"),
        ("8", None, "0"),
        ("AA", 2.5, "1"),
    ]


@pytest.mark.parametrize("row", ["AA,late,0", "AA,1,0,5"])
def test_a_bad_row_is_told(spark: Any, tmp_path: Path, row: str) -> None:
    (tmp_path / "day.csv").write_text(f"carrier,delay,late\nAA,1,0\n{row}\n")
    (tmp_path / "rows").mkdir()
    with pytest.raises(DataError) as told:
        write_day(spark, spec(tmp_path / "day.csv"), tmp_path / "rows")
    assert "\n" not in str(told.value)


def test_profiles_by_hand(spark: Any) -> None:
    schema = "delay double, carrier string"
    before = [(float(i), "AA" if i < 30 else "UA") for i in range(40)] + [(None, None)] * 10
    today = [(-5.0, "AA"), (39.0, "UA"), (99.0, "ZZ"), (None, "ZZ"), (4.0, None)]
    frames = (spark.createDataFrame(rows, schema) for rows in (before, today))
    known, day = profiles(*frames, ["delay"], ["carrier"])
    assert (known.rows, day.rows) == (50, 5)
    assert known.columns["delay"] == ColumnProfile(10, (4,) * 10)
    assert day.columns["delay"] == ColumnProfile(1, (1, 1, 0, 0, 0, 0, 0, 0, 0, 2))
    assert known.columns["carrier"] == ColumnProfile(10, (30, 10))
    assert day.columns["carrier"] == ColumnProfile(1, (1, 1), 2)


def test_a_day_without_anything_before_it(spark: Any) -> None:
    frame = spark.createDataFrame([(1.0, "AA")], "delay double, carrier string")
    known, day = profiles(frame.limit(0), frame, ["delay"], ["carrier"])
    assert (known.rows, day.rows) == (0, 1)
    assert drifts(known, day) == {}


def test_equal_rows_do_not_drift(spark: Any) -> None:
    numbers = np.random.default_rng(0).normal(size=400).round(1)
    frame = spark.createDataFrame([(float(x),) for x in numbers], "x double")
    known, day = profiles(frame, frame, ["x"], [])
    assert drifts(known, day)["x"] == pytest.approx(0)
    assert sum(day.columns["x"].counts) == 400
