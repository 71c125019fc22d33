"""Statistics, scaling, missing values, and what the manifest says about them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from distkeras.errors import DataError
from tests.preprocessing.tables import events, run, spec, write_csv

BY_STATION = {"method": "column", "column": "station", "test_values": [4]}


def close(found, expected):
    return all(found[k] == pytest.approx(v, rel=1e-6, abs=1e-6) for k, v in expected.items())


def by_hand(values):
    known = values[~np.isnan(values)]
    return {
        "count": len(known),
        "missing": len(values) - len(known),
        "mean": known.mean(),
        "std": known.std(),
        "min": known.min(),
        "max": known.max(),
    }


@pytest.mark.parametrize(
    ("scale", "strategy"),
    [("standard", "mean"), ("minmax", "median"), ("none", "constant"), ("standard", "constant")],
)
def test_numbers_are_those_of_numpy_on_the_training_split(spark, tmp_path, scale, strategy):
    table = events(300)
    table.loc[table.index[::7], "a"] = -999.0
    table.loc[table.index[::11], "a"] = np.nan
    table.loc[table.station == 4, "a"] += 1000  # must not be seen by the statistics
    table["year"] = 2013 + table.b % 2 * 1e-3  # far from zero for its spread
    path = write_csv(tmp_path / "x.csv", table)
    missing = {"values": [-999.0, 49.0], "strategy": strategy, "constant": 3.0}
    wanted = spec(path, scale=scale, missing=missing, split=BY_STATION, numeric=["a", "b", "year"])
    result = run(spark, tmp_path, wanted)

    raw = table[["a", "b", "year"]].to_numpy(float)
    raw[np.isin(raw, [-999.0, 49.0])] = np.nan
    tests = (table.station == 4).to_numpy()
    train = raw[~tests]
    fill = {
        "mean": np.nanmean(train, axis=0),
        "median": np.nanquantile(train, 0.5, axis=0, method="lower"),
        "constant": np.full(3, 3.0),
    }[strategy]
    shift, factor = {
        "standard": (np.nanmean(train, axis=0), 1 / np.nanstd(train, axis=0)),
        "minmax": (
            np.nanmin(train, axis=0),
            1 / np.ptp(np.nan_to_num(train, nan=train[0]), axis=0),
        ),
        "none": (np.zeros(3), np.ones(3)),
    }[scale]
    if scale == "minmax":
        factor = 1 / (np.nanmax(train, axis=0) - np.nanmin(train, axis=0))
    expected = (np.where(np.isnan(raw), fill, raw) - shift) * factor
    for name, side in (("train", ~tests), ("test", tests)):
        written, _ = result.split(name)
        by_numpy = expected[side].astype(np.float32)
        by_numpy = by_numpy[np.lexsort(by_numpy.T)]
        np.testing.assert_allclose(
            np.sort(written, axis=0), np.sort(by_numpy, axis=0), rtol=2e-6, atol=2e-6
        )
        for i, column in enumerate(["a", "b", "year"]):
            before = result.manifest["columns"][column][name]
            after = result.manifest["features"][column][name]
            assert close(before, by_hand(raw[side][:, i])), (column, name)
            assert close(after, by_hand(expected[side][:, i])), (column, name)


def test_the_manifest_is_the_file_and_is_whole(spark, tmp_path):
    path = write_csv(tmp_path / "x.csv", events())
    result = run(spark, tmp_path, spec(path, drop=["day"], categorical={"columns": ["color"]}))
    found = result.manifest
    assert json.loads((result.path / "manifest.json").read_text()) == found
    assert found["rows"]["source"] == 200 == found["rows"]["train"] + found["rows"]["test"]
    assert set(found["seconds"]) == {"read", "split", "statistics", "categories", "write"}
    colors = found["categories"]["color"]
    counts = events().color.value_counts()
    assert {c["category"]: c["train"] + c["test"] for c in colors["categories"]} == dict(counts)
    assert colors["(other)"] == {"train": 0, "test": 0}
    assert [b["class"] for b in found["label"]["balance"]] == ["no", "yes"]
    assert sorted(p.name for p in result.path.iterdir()) == [
        "manifest.json",
        "preprocessor.json",
        "test",
        "train",
    ]


def test_a_constant_column_becomes_zero_and_is_named(spark, tmp_path):
    table = events().assign(same=0.1)
    path = write_csv(tmp_path / "x.csv", table)
    result = run(spark, tmp_path, spec(path, numeric=["a", "same"]))
    assert (result.split("train")[0][:, 1] == 0).all()
    assert any("'same' is constant" in note for note in result.manifest["notes"])


def test_a_column_missing_in_training(spark, tmp_path):
    table = events()
    table["gap"] = np.where(table.station == 4, 1.0, np.nan)
    path = write_csv(tmp_path / "x.csv", table)
    more = {"numeric": ["a", "gap"], "split": BY_STATION}
    with pytest.raises(DataError, match=r"column 'gap' is missing in all .* has no mean"):
        run(spark, tmp_path, spec(path, **more))
    result = run(spark, tmp_path, spec(path, missing={"strategy": "constant"}, **more))
    assert (result.split("train")[0][:, 1] == 0).all()
    assert any("'gap' is missing" in note for note in result.manifest["notes"])


@pytest.mark.parametrize("value", [np.inf, 1e300, 1e60])
def test_no_feature_is_ever_infinite(spark, tmp_path, value):
    table = events()
    table["wild"] = table.a
    table.loc[table.index[5], "wild"] = value
    path = tmp_path / "x.parquet"
    table.to_parquet(path)
    with pytest.raises(DataError, match="column 'wild' holds"):
        run(spark, tmp_path, spec(path, numeric=["wild"], scale="none"))


def test_two_hundred_columns(spark, tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"n{i}": rng.normal(i, 1 + i, 300) for i in range(200)})
    table["class"] = rng.integers(0, 2, 300)
    table.to_parquet(tmp_path / "wide.parquet")
    result = run(spark, tmp_path, spec(tmp_path / "wide.parquet"))
    train = result.split("train")[0]
    assert train.shape[1] == 200
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(axis=0), 1, atol=1e-5)


def test_settings_of_the_session_are_put_back(spark, tmp_path):
    key = "spark.sql.maxConcurrentOutputFileWriters"
    spark.conf.set(key, "7")
    try:
        run(spark, tmp_path, spec(write_csv(tmp_path / "x.csv", events()), numeric=["a"]))
        assert spark.conf.get(key) == "7"
    finally:
        spark.conf.unset(key)
    assert spark.catalog.listTables() == []
