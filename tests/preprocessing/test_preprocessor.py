"""The artifact: the same numbers with Spark and without, for every kind of raw rows."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distkeras.errors import DataError, StorageError
from distkeras.preprocessing.preprocessor import Preprocessor
from tests.preprocessing.tables import events, run, spec, write_csv


def made(encoding="onehot", unseen="other"):
    """A fitted preprocessor, without fitting one."""
    return Preprocessor.model_validate(
        {
            "numeric": [
                {"name": "a", "fill": 2.5, "shift": 1.25, "factor": 0.3},
                {"name": "my `b`.x", "fill": -1.0, "shift": 0.0, "factor": 1.0},
            ],
            "categorical": [
                {
                    "name": "color",
                    "kind": "string",
                    "categories": ["blue", "it's\\", "1"],
                    "encoding": encoding,
                    "unseen": unseen,
                },
                {
                    "name": "code",
                    "kind": "integer",
                    "categories": [1, 2, 30],
                    "encoding": encoding,
                    "unseen": unseen,
                },
                {
                    "name": "flag",
                    "kind": "boolean",
                    "categories": [False, True],
                    "encoding": encoding,
                    "unseen": unseen,
                },
            ],
            "label": {"name": "class", "kind": "string", "classes": ["no", "yes"]},
            "missing_numbers": [-999.0],
            "missing_texts": ["NA"],
        }
    )


def random_rows(count, seed):
    rng = np.random.default_rng(seed)

    def pick(*values):
        return [values[i] for i in rng.integers(0, len(values), count)]

    number = rng.normal(0, 1e3, count)
    return pd.DataFrame(
        {
            "a": np.where(rng.random(count) < 0.2, np.nan, number),
            "my `b`.x": [str(v) for v in pick("", "NaN", "-999", "-999.0", "NA", 1, 2.5, "1e5")],
            "color": pick("blue", "it's\\", "1", "", "NA", "never seen", None),
            "code": pd.array(pick(1, 2, 30, 31, -999, None), dtype="Int64"),
            "flag": pd.array(pick(True, False, None), dtype="boolean"),
            "class": pick("yes", "no"),
        }
    )


@pytest.mark.parametrize("encoding", ["onehot", "index"])
def test_spark_and_numpy_give_the_same_numbers(spark, encoding):
    fitted = made(encoding)
    rows = random_rows(400, 1)
    by_numpy = fitted.transform(rows)
    table = spark.createDataFrame(pa.Table.from_pandas(rows, preserve_index=False))
    by_spark = fitted.transform_spark(table).toPandas()
    assert (np.stack(by_spark.features.to_numpy()) == by_numpy).all()
    assert (by_spark.label.to_numpy() == fitted.labels(rows)).all()
    assert list(by_spark.columns) == [*rows.columns, "features", "label"]
    assert by_numpy.shape == (400, fitted.dimension) == (400, len(fitted.feature_names))


def test_every_form_of_rows_gives_the_same_numbers():
    fitted = made()
    rows = random_rows(60, 2)
    expected = fitted.transform(rows)
    table = pa.Table.from_pandas(rows, preserve_index=False)
    dicts = table.to_pylist()
    texts = [{k: "" if v is None or v != v else str(v) for k, v in row.items()} for row in dicts]
    lean = [{k: v for k, v in row.items() if v is not None} for row in dicts]
    forms = [table, table.to_batches()[0], table.to_pydict(), dicts, texts, lean]
    forms.append(table.set_column(2, "color", table["color"].dictionary_encode()))
    for form in forms:
        assert (fitted.transform(form) == expected).all(), type(form)
    assert fitted.transform(rows[:0]).shape == (0, fitted.dimension)
    assert fitted.transform([]).shape == (0, fitted.dimension)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.floats(width=32),
            st.sampled_from([-999.0, 0.0]),
        ),
        max_size=20,
    )
)
def test_numbers_are_filled_scaled_and_never_nan(values):
    fitted = made().model_copy(update={"categorical": []})
    rows = {"a": values, "my `b`.x": values}
    if any(v is not None and np.isinf(v) for v in values):
        with pytest.raises(DataError, match=r"column 'a': .*inf in row"):
            fitted.transform(rows)
        return
    present = [None if v is None or v != v or v == -999.0 else v for v in values]
    expected = [((2.5 if v is None else v) - 1.25) * 0.3 for v in present]
    found = fitted.transform(rows)
    assert found[:, 0].tolist() == np.array(expected, np.float32).tolist()
    assert np.isfinite(found).all()


def test_onehot_and_feature_names():
    fitted = made()
    rows = [{"a": 1.25, "my `b`.x": 1, "color": "it's\\", "code": 99, "flag": None}]
    assert fitted.transform(rows).tolist() == [[0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1]]
    assert fitted.feature_names[2:6] == ["color=blue", "color=it's\\", "color=1", "color=(other)"]
    assert fitted.feature_names[-3:] == ["flag=False", "flag=True", "flag=(other)"]
    assert made("index").transform(rows).tolist() == [[0, 1, 1, 3, 2]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"a": "abc"}, "column 'a' is not numeric: it holds 'abc'"),
        ({"a": "12d"}, "column 'a' is not numeric: it holds '12d'"),
        ({"a": dt.date(2013, 1, 1)}, "column 'a' is not numeric: its type is date"),
        ({"a": float("inf")}, "column 'a': inf in row 0"),
        ({"a": 1e300}, r"column 'a': 1e\+300 in row 0"),
        ({"color": "purple"}, "categorical column 'color': 'purple' in row 0"),
        ({"code": None}, "categorical column 'code': None in row 0"),
    ],
)
def test_bad_values_with_and_without_spark(spark, change, said):
    fitted = made(unseen="error")
    good = {"a": 1.0, "my `b`.x": 2.0, "color": "1", "code": 2, "flag": True}
    fitted.transform([good])
    with pytest.raises(DataError, match=said):
        fitted.transform([good | change])
    if isinstance(change.get("a"), dt.date):
        return
    schema = "a string, `my ``b``.x` double, color string, code int, flag boolean"
    row = {k: str(v) if k == "a" else v for k, v in (good | change).items()}
    table = spark.createDataFrame([tuple(row.values())], schema)
    with pytest.raises(Exception, match=f"distkeras.*{next(iter(change))}"):
        fitted.transform_spark(table).collect()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"A": [1.0]}, r"no column 'a' \(did you mean 'A'"),
        ([{"A": 1.0}], r"no column 'a' \(did you mean 'A'"),
        ({"a": 1.0}, "column 'a' is 1.0, not a sequence"),
        ({"a": [1.0], "b": [1.0, 2.0]}, "different lengths"),
        (7, "int is neither"),
    ],
)
def test_bad_rows(rows, said):
    fitted = made().model_copy(update={"categorical": []})
    names = ["a", "b"] if "b" in (rows if isinstance(rows, dict) else {}) else ["a"]
    numeric = [fitted.numeric[0].model_copy(update={"name": n}) for n in names]
    with pytest.raises(DataError, match=said):
        fitted.model_copy(update={"numeric": numeric}).transform(rows)


def test_transform_spark_before_any_job(spark):
    fitted = made()
    with pytest.raises(DataError, match=r"transform_spark: there is no column 'a'"):
        fitted.transform_spark(spark.createDataFrame([(1,)], "aa int"))
    schema = "a int, `my ``b``.x` int, color string, code int, flag boolean, features int"
    with pytest.raises(DataError, match="'features' already"):
        fitted.transform_spark(spark.createDataFrame([], schema))


def test_save_load_decode(tmp_path):
    fitted = made()
    path = tmp_path / "preprocessor.json"
    fitted.save(path)
    assert Preprocessor.load(path) == fitted
    assert json.loads(path.read_text())["numeric"][0]["fill"] == 2.5
    assert fitted.decode(np.array([1, 0])) == ["yes", "no"]
    with pytest.raises(DataError, match="class number 2"):
        fitted.decode([2])
    with pytest.raises(DataError, match="'maybe' in row 0"):
        fitted.labels({"class": ["maybe"]})
    path.write_text('{"version": 1, "numeric": 3}')
    with pytest.raises(StorageError, match=r"preprocessor\.json: no preprocessor: numeric"):
        Preprocessor.load(path)


def test_scoring_needs_no_pyspark():
    code = (
        "import sys, distkeras.preprocessing.preprocessor, distkeras.preprocessing.run;"
        "print([m for m in ('pyspark', 'keras', 'tensorflow') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("values", [["no", "yes"], [-1, 10], [0.5, 2.0], [False, True]])
def test_labels_of_any_type(spark, tmp_path, values):
    table = events()[["a", "color"]].assign(y=[values[i % 3 == 0] for i in range(200)])
    path = tmp_path / "x.parquet"
    table.to_parquet(path)
    result = run(spark, tmp_path, spec(path, "y", categorical={"columns": ["color"]}))
    fitted = result.fitted
    assert fitted.classes == values
    assert [type(c) for c in fitted.classes] == [type(v) for v in values]
    assert fitted.decode(fitted.labels(table)) == table.y.tolist()
    features = fitted.transform(table)
    written, labels = (
        np.concatenate(p) for p in zip(result.split("train"), result.split("test"), strict=True)
    )
    assert labels.dtype == np.int32
    pairs = np.c_[features, fitted.labels(table)]
    both = np.c_[written, labels]
    assert (both[np.lexsort(both.T)] == pairs[np.lexsort(pairs.T)]).all()


def test_regression(spark, tmp_path):
    path = write_csv(tmp_path / "x.csv", events().drop(columns=["color", "day", "class"]))
    result = run(spark, tmp_path, spec(path, label={"column": "b", "kind": "regression"}))
    features, labels = result.split("train")
    assert labels.dtype == np.float32
    assert set(labels) <= set(events().b.astype(np.float32))
    assert result.fitted.classes is None
    assert result.fitted.feature_names == ["a", "station"]
    assert result.manifest["columns"]["b"]["train"]["max"] == labels.max()
    assert result.manifest["label"]["balance"] is None
    assert result.fitted.labels({"b": [3, 4]}).tolist() == [3.0, 4.0]
    assert features.shape == (len(labels), 2)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"label": {"column": "gap", "kind": "regression"}}, "label 'gap' is missing in 3 rows"),
        ({"label": {"column": "id"}}, "'id' has more than 1000 classes; is it a quantity"),
        ({"categorical": {"columns": ["id"]}}, "'id' has more than 1000 categories"),
        ({"categorical": {"columns": ["gap"], "unseen": "error"}}, "'gap' is missing in"),
        ({"categorical": {"columns": ["none"]}}, "'none' is missing in all training rows"),
    ],
)
def test_bad_labels_and_categories(spark, tmp_path, more, said):
    table = pd.DataFrame({"id": [f"n{i}" for i in range(1300)]})
    table["class"] = table.index % 2
    table["gap"] = table.index % 3
    table.loc[[1, 2, 4], "gap"] = np.nan
    table["none"] = None
    table["a"] = 1.0
    path = write_csv(tmp_path / "x.csv", table)
    with pytest.raises(DataError, match=said):
        run(spark, tmp_path, spec(path, numeric=["a"], **more))


def test_a_class_that_only_tests(spark, tmp_path):
    table = events()
    table.loc[table.station == 4, "class"] = "new"
    path = write_csv(tmp_path / "x.csv", table)
    split = {"method": "column", "column": "station", "test_values": ["4"]}
    with pytest.raises(DataError, match=r"class 'new' has \d+ test rows and no training row"):
        run(spark, tmp_path, spec(path, numeric=["a"], split=split))


def test_text_of_a_csv_means_the_same_without_spark(spark, tmp_path):
    """White space around it, and quotes within it."""
    texts = [" k0", "k0", 'say "k0", x', " \tk1 ", '"', "back\\"]
    table = pd.DataFrame(
        {
            "n": range(60),
            'kind "of", it': texts * 10,
            "class": ["yes", " no ", 'may "be"'] * 20,
        }
    )
    path = write_csv(tmp_path / "x.csv", table)
    wanted = spec(path, categorical={"columns": ['kind "of", it'], "unseen": "error"})
    result = run(spark, tmp_path, wanted)
    fitted = result.fitted
    assert fitted.classes == ['may "be"', "no", "yes"]
    assert fitted.categorical[0].categories == sorted({text.strip() for text in texts})
    ours = fitted.transform(table)
    trained = np.concatenate([result.split("train")[0], result.split("test")[0]])
    assert np.array_equal(np.sort(trained, axis=0), np.sort(ours, axis=0))
    frame = spark.createDataFrame(table).repartition(1)
    theirs = fitted.transform_spark(frame).orderBy("n").select("features", "label").toPandas()
    assert np.array_equal(np.stack(theirs.features.to_numpy()), ours)
    assert theirs.label.tolist() == fitted.labels(table).tolist()
