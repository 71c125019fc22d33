"""Who trains and who tests."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from distkeras.errors import DataError
from distkeras.preprocessing.splits import find_bounds
from tests.preprocessing.tables import MAGIC, NUMERIC, events, run, spec, write_csv


def test_every_class_gets_its_share_to_the_row(spark, tmp_path):
    found = run(spark, tmp_path, spec(MAGIC, split={"test": 0.25, "seed": 3})).manifest
    raw = pd.read_csv(MAGIC)
    # Rows that occur twice stay together, so a class may be off by as many.
    twice = int(raw.duplicated().sum())
    for entry in found["label"]["balance"]:
        rows = int((raw["class"] == entry["class"]).sum())
        assert entry["train"] + entry["test"] == rows
        assert 0 <= entry["test"] - math.ceil(0.25 * rows) <= max(twice, 1)


def test_each_source_row_is_in_one_split_once(spark, tmp_path):
    result = run(spark, tmp_path, spec(MAGIC, scale="none"))
    written = np.concatenate([result.split("train")[0], result.split("test")[0]])
    raw = pd.read_csv(MAGIC).drop(columns="class").to_numpy(np.float32)
    assert written.shape == raw.shape
    assert (written[np.lexsort(written.T)] == raw[np.lexsort(raw.T)]).all()


def test_the_split_depends_on_content_and_seed_only(spark, tmp_path):
    whole = write_csv(tmp_path / "whole.csv", events(600))
    parts = tmp_path / "parts.parquet"
    spark.read.csv(str(whole), header=True, inferSchema=True).repartition(7).write.parquet(
        str(parts)
    )
    more = {"numeric": ["a", "b"], "scale": "none", "drop": ["day"]}
    sql = "SELECT a, b, color, class FROM events"

    def test_rows(path, seed=0):
        made = run(
            spark, tmp_path, spec(path, **more | {"drop": [], "sql": sql}, split={"seed": seed})
        )
        return made.split("test")[0]

    first = test_rows(whole)
    before = spark.conf.get("spark.sql.files.maxPartitionBytes")
    spark.conf.set("spark.sql.files.maxPartitionBytes", "4096")
    try:
        again = test_rows(whole)
    finally:
        spark.conf.set("spark.sql.files.maxPartitionBytes", before)
    assert (first == again).all()
    assert (first == test_rows(parts)).all()
    other = test_rows(whole, seed=1)
    assert first.shape == other.shape
    assert not (first == other).all()


def test_equal_rows_stay_together(spark, tmp_path):
    table = pd.concat([events(100)] * 3)
    result = run(spark, tmp_path, spec(write_csv(tmp_path / "x.csv", table), **NUMERIC))
    train, test = result.split("train")[0], result.split("test")[0]
    assert len(train) % 3 == len(test) % 3 == 0
    assert not set(map(tuple, train)) & set(map(tuple, test))


def test_a_class_of_one_row_trains(spark):
    rows = [("rare", 5), *[("common", i) for i in range(10)], *[("pair", i) for i in (7, 8)]]
    bounds = find_bounds(spark.createDataFrame(rows, "label string, hash bigint"), 0.2)
    tested = {
        b.label: sum(1 for label, h in rows if label == b.label and h <= b.last) for b in bounds
    }
    assert tested == {"rare": 0, "common": 2, "pair": 1}


def test_by_column(spark, tmp_path):
    path = write_csv(tmp_path / "x.csv", events())
    split = {"method": "column", "column": "station", "test_values": [2, 4]}
    result = run(spark, tmp_path, spec(path, split=split, scale="none", **NUMERIC))
    table = events()
    assert result.manifest["rows"]["test"] == int(table.station.isin([2, 4]).sum())
    assert set(result.split("train")[0][:, 0]) == set(
        table[~table.station.isin([2, 4])].a.astype(np.float32)
    )


def test_by_time_and_rows_without_time_belong_nowhere(spark, tmp_path):
    table = events()
    table.loc[:9, "day"] = None
    path = write_csv(tmp_path / "x.csv", table)
    split = {"method": "time", "column": "day", "test_from": "2013-09-15"}
    found = run(spark, tmp_path, spec(path, split=split, **NUMERIC)).manifest
    later = int((table.day >= "2013-09-15").sum())
    assert found["rows"] == {"source": 200, "train": 190 - later, "test": later}
    assert found["dropped"] == {"split column 'day' is missing": 10}


def test_time_as_number(spark, tmp_path):
    path = write_csv(tmp_path / "x.csv", events())
    split = {"method": "time", "column": "b", "test_from": 40}
    found = run(spark, tmp_path, spec(path, split=split, numeric=["a"])).manifest
    assert found["rows"]["test"] == int((events().b >= 40).sum())


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"method": "column", "column": "station", "test_values": [9]}, "test split is empty"),
        ({"method": "time", "column": "day", "test_from": "2012-01-01"}, "training split is empty"),
        ({"method": "time", "column": "b", "test_from": "2012-01-01"}, "'b' is of type int"),
        ({"method": "time", "column": "color", "test_from": "2012-01-01"}, "' is no time"),
        ({"method": "column", "column": "statoin", "test_values": [1]}, "mean 'station'"),
    ],
)
def test_bad_splits(spark, tmp_path, split, said):
    path = write_csv(tmp_path / "x.csv", events())
    with pytest.raises(DataError, match=said) as caught:
        run(spark, tmp_path, spec(path, split=split, **NUMERIC))
    assert "\n" not in str(caught.value)
