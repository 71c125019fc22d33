"""``distkeras predict`` as a user gives it, in this process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distkeras.command import main
from distkeras.preprocessing.preprocessor import Preprocessor
from distkeras.storage import load_model
from tests.predict.saved import CLASSES, preprocessor, raw_rows, trained

ROWS = 5000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("models") / "Train")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    raw_rows(ROWS).to_csv(path, index=False)
    return path


def predict(model: object, rows: object, output: object, *more: str) -> int:
    """The exit status."""
    arguments = ["--model", str(model), "--input", str(rows), "--output", str(output)]
    return main(["predict", *arguments, *more])


def expected(model: Path, table: pd.DataFrame) -> np.ndarray:
    features = Preprocessor.load(model / "preprocessor.json").transform(table)
    found: np.ndarray = load_model(model / "model.keras").predict(features, verbose=0)
    return found


def test_csv_to_parquet(model: Path, rows: Path, tmp_path: Path, capsys: Any) -> None:
    output = tmp_path / "new" / "scored.parquet"
    assert predict(model, rows, output) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"{output}: {ROWS} rows\n", "")
    found, table = pq.read_table(output), raw_rows(ROWS)
    assert found.column_names == [*table.columns, "prediction", "predicted"]
    assert found.schema.field("prediction").type == pa.list_(pa.float32())
    assert found.select(list(table.columns)).to_pydict() == table.to_dict("list")
    numbers = np.stack(found["prediction"].to_numpy())
    np.testing.assert_allclose(numbers, expected(model, table), rtol=1e-5, atol=1e-7)
    assert found["predicted"].to_pylist() == [CLASSES[i] for i in numbers.argmax(axis=1)]
    assert os.listdir(output.parent) == ["scored.parquet"]


def test_csv_to_csv(model: Path, rows: Path, tmp_path: Path) -> None:
    output = tmp_path / "scored.csv"
    output.write_text("replaced")
    assert predict(model, rows, output, "--batch-size", "100") == 0
    found = pd.read_csv(output, dtype={"a": str, "b.c": str}, keep_default_na=False)
    table = raw_rows(ROWS)
    numbers = [f"prediction_{name}" for name in CLASSES]
    assert list(found.columns) == [*table.columns, *numbers, "predicted"]
    pd.testing.assert_frame_equal(found[list(table.columns)], table)
    np.testing.assert_allclose(found[numbers], expected(model, table), rtol=1e-5, atol=1e-7)


def test_parquet_and_one_output_for_two_classes(tmp_path: Path) -> None:
    model = trained(tmp_path / "Train", outputs=1, kind="integer", classes=[10, 20])
    table = raw_rows(50).astype({"a": float}).drop(columns="id")
    table.to_parquet(tmp_path / "rows.parquet")
    assert predict(model, tmp_path / "rows.parquet", tmp_path / "scored.csv") == 0
    found = pd.read_csv(tmp_path / "scored.csv")
    assert list(found.columns)[-2:] == ["prediction", "predicted"]
    np.testing.assert_allclose(found["prediction"], expected(model, table)[:, 0], rtol=1e-5)
    assert found["predicted"].tolist() == np.where(found["prediction"] > 0.5, 20, 10).tolist()


def test_a_keras_file_alone_takes_features(model: Path, tmp_path: Path) -> None:
    table = raw_rows(40)
    features = preprocessor().transform(table)
    pq.write_table(
        pa.table({"n": range(40), "x": features.tolist(), "label": [0] * 40}),
        tmp_path / "rows.parquet",
    )
    output, more = tmp_path / "scored.parquet", ("--features-col", "x")
    assert predict(model / "model.keras", tmp_path / "rows.parquet", output, *more) == 0
    found = pq.read_table(output)
    assert found.column_names == ["n", "label", "prediction"]
    numbers = np.stack(found["prediction"].to_numpy())
    np.testing.assert_allclose(numbers, expected(model, table), rtol=1e-5, atol=1e-7)


def test_no_rows_give_no_rows(model: Path, tmp_path: Path) -> None:
    raw_rows(0).to_csv(tmp_path / "rows.csv", index=False)
    for ending in ("csv", "parquet"):
        assert predict(model, tmp_path / "rows.csv", tmp_path / f"scored.{ending}") == 0
    assert pq.read_table(tmp_path / "scored.parquet").num_rows == 0
    assert (tmp_path / "scored.csv").read_text().count("\n") == 1


def test_a_late_bad_row_leaves_nothing(model: Path, tmp_path: Path, capsys: Any) -> None:
    table = raw_rows(200_000)
    table.loc[190_000, "a"] = "much"
    table.to_csv(tmp_path / "rows.csv", index=False)
    output = tmp_path / "out" / "scored.parquet"
    output.parent.mkdir()
    output.write_text("what was there before")
    assert predict(model, tmp_path / "rows.csv", output) == 1
    said = f"ERROR: {tmp_path}/rows.csv: column 'a' is not numeric: it holds 'much'\n"
    assert capsys.readouterr().err == said
    assert os.listdir(output.parent) == ["scored.parquet"]
    assert output.read_text() == "what was there before"
    table.loc[190_000, "a"] = "1e300"
    table.to_csv(tmp_path / "rows.csv", index=False)
    assert predict(model, tmp_path / "rows.csv", output) == 1
    assert "column 'a': '1e300' in row 190000 is" in capsys.readouterr().err


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


WRONG = {
    "no model": (["--model", "nowhere"], "--model nowhere: does not exist"),
    "no such model": (["--model", "empty"], "--model empty: holds no model.keras: give a Train"),
    "no input": (["--input", "rows.cvs"], "--input: rows.cvs does not exist (did you mean 'rows."),
    "no format": (["--input", "data"], "--input data: does not tell its format; add --format"),
    "output": (["--output", "x.xlsx"], "--output x.xlsx: must end in .parquet or .csv"),
    "batch": (["--batch-size", "0"], "--batch-size 0: must be above 0"),
    "conf": (["--conf", "spark.a=1"], "--conf: is for --spark"),
    "not features": (["--model", "Train/model.keras"], "--model Train/model.keras: a .keras file "),
    "no column": (["--input", "other.csv"], "--input: there is no column 'b.c' (did you mean 'b"),
    "name taken": (["--input", "scored.csv"], "--input: it has a column 'Prediction' already"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line(
    model: Path, tmp_path: Path, monkeypatch: Any, capsys: Any, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Train").symlink_to(model)
    empty(tmp_path / "empty")
    table = raw_rows(3)
    table.to_csv("rows.csv", index=False)
    table.to_csv("data", index=False)
    table.rename(columns={"b.c": "b_c"}).to_csv("other.csv", index=False)
    table.assign(Prediction=1).to_csv("scored.csv", index=False)
    before = sorted(os.listdir())
    given, said = WRONG[case]
    if case in ("no input",):
        given = ["--format", "csv", *given]
    assert predict("Train", "rows.csv", "out.csv", *given) == 1
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err.startswith(f"ERROR: {said}")
    assert found.err.count("\n") == 1
    assert sorted(os.listdir()) == before


def test_a_model_that_does_not_fit_its_preprocessor(tmp_path: Path, capsys: Any) -> None:
    model = trained(tmp_path / "Train", dimension=4)
    raw_rows(3).to_csv(tmp_path / "rows.csv", index=False)
    assert predict(model, tmp_path / "rows.csv", tmp_path / "out.csv") == 1
    assert "takes 4 numbers a row, preprocessor.json makes 5" in capsys.readouterr().err


def test_a_list_does_not_fit_into_csv(model: Path, tmp_path: Path, capsys: Any) -> None:
    table = pa.table({"features": [[0.0] * 5], "more": [[1, 2]]})
    pq.write_table(table, tmp_path / "rows.parquet")
    output = tmp_path / "out.csv"
    assert predict(model / "model.keras", tmp_path / "rows.parquet", output) == 1
    said = "column 'more': CSV cannot hold list<element: int64>; write Parquet"
    assert said in capsys.readouterr().err
    assert not output.exists()


def test_a_damaged_preprocessor_is_named(model: Path, tmp_path: Path, capsys: Any) -> None:
    broken = tmp_path / "Train"
    broken.mkdir()
    (broken / "model.keras").symlink_to(model / "model.keras")
    (broken / "preprocessor.json").write_text(json.dumps({"version": 1}))
    assert predict(broken, tmp_path / "rows.csv", tmp_path / "out.csv") == 1
    assert "preprocessor.json: no preprocessor: numeric: Field required" in capsys.readouterr().err
