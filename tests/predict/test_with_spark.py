"""The same predictions as a Spark job."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distkeras.command import main
from distkeras.errors import DataError, StorageError
from distkeras.predict.command import Request
from distkeras.predict.scorer import find_scorer
from distkeras.predict.with_spark import predict_with_spark
from distkeras.preprocessing.files import Format
from distkeras.preprocessing.spec import SourceSpec
from tests.predict.saved import preprocessor, raw_rows, trained

ROWS = 300


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("models") / "Train")


def request_for(model: Path, rows: Path, output: Path) -> Request:
    formats: dict[str, Format] = {".csv": "csv", ".parquet": "parquet"}
    source = SourceSpec(path=str(rows))
    kinds = formats[rows.suffix], formats[output.suffix]
    return Request(find_scorer(str(model), "x"), source, kinds[0], str(output), kinds[1], 64)


def alone(model: Path, rows: Path, output: Path) -> None:
    where = ["--model", str(model), "--input", str(rows), "--output", str(output)]
    assert main(["predict", *where, "--features-col", "x"]) == 0


def read_csvs(folder: Path) -> pd.DataFrame:
    parts = sorted(folder.glob("part-*.csv"))
    return pd.concat(
        [pd.read_csv(p, dtype={"a": str, "b.c": str}, keep_default_na=False) for p in parts],
        ignore_index=True,
    )


def test_the_same_as_without(spark: Any, model: Path, tmp_path: Path) -> None:
    rows, folder, single = tmp_path / "rows.csv", tmp_path / "s.parquet", tmp_path / "a.parquet"
    raw_rows(ROWS).to_csv(rows, index=False)
    assert predict_with_spark(request_for(model, rows, folder), spark) == ROWS
    alone(model, rows, single)
    found, wanted = pq.read_table(folder), pq.read_table(single)
    assert found.column_names == wanted.column_names
    raw = [*wanted.column_names[:-2], "predicted"]
    assert found.select(raw).to_pydict() == wanted.select(raw).to_pydict()
    ours, theirs = (np.stack(table["prediction"].to_numpy()) for table in (wanted, found))
    np.testing.assert_allclose(theirs, ours, rtol=1e-6)
    assert "_SUCCESS" in os.listdir(folder)


def test_csv_has_the_same_columns(spark: Any, model: Path, tmp_path: Path) -> None:
    rows, folder, single = tmp_path / "rows.csv", tmp_path / "s.csv", tmp_path / "a.csv"
    raw_rows(ROWS).to_csv(rows, index=False)
    predict_with_spark(request_for(model, rows, folder), spark)
    alone(model, rows, single)
    wanted = pd.read_csv(single, dtype={"a": str, "b.c": str}, keep_default_na=False)
    pd.testing.assert_frame_equal(read_csvs(folder), wanted, rtol=1e-6)


def test_one_output(spark: Any, tmp_path: Path) -> None:
    model = trained(tmp_path / "Train", outputs=1, kind="integer", classes=[10, 20])
    rows = tmp_path / "rows.csv"
    raw_rows(ROWS).to_csv(rows, index=False)
    predict_with_spark(request_for(model, rows, tmp_path / "s.csv"), spark)
    alone(model, rows, tmp_path / "a.csv")
    wanted = pd.read_csv(tmp_path / "a.csv", dtype={"a": str, "b.c": str}, keep_default_na=False)
    assert set(wanted["predicted"]) == {10, 20}
    pd.testing.assert_frame_equal(read_csvs(tmp_path / "s.csv"), wanted, rtol=1e-6)


def test_features_of_a_keras_file(spark: Any, model: Path, tmp_path: Path) -> None:
    features = preprocessor().transform(raw_rows(40)).tolist()
    pq.write_table(pa.table({"n": range(40), "x": features}), tmp_path / "rows.parquet")
    request = request_for(model / "model.keras", tmp_path / "rows.parquet", tmp_path / "s.parquet")
    assert predict_with_spark(request, spark) == 40
    found = pq.read_table(tmp_path / "s.parquet")
    assert found.column_names == ["n", "prediction"]


def test_bad_rows_leave_nothing(spark: Any, model: Path, tmp_path: Path) -> None:
    table = raw_rows(ROWS)
    table.loc[ROWS - 1, "a"] = "much"
    table.to_csv(tmp_path / "rows.csv", index=False)
    request = request_for(model, tmp_path / "rows.csv", tmp_path / "s.parquet")
    with pytest.raises(DataError, match="column 'a' is not numeric: it holds 'much'"):
        predict_with_spark(request, spark)
    assert os.listdir(tmp_path) == ["rows.csv"]
    (tmp_path / "s.parquet").mkdir()
    with pytest.raises(StorageError, match=r"s.parquet: is there already"):
        predict_with_spark(request, spark)
