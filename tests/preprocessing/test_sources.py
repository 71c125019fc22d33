"""Files, views, SQL, and what a bad file gets."""

from __future__ import annotations

import pandas as pd
import pytest

from distkeras.errors import ConfigError, DataError, StorageError
from distkeras.preprocessing.rows import Missing
from distkeras.preprocessing.sources import read_table
from distkeras.preprocessing.spec import PreprocessSpec
from tests.preprocessing.tables import events, run, spec, write_csv


def read(spark, path, *, look_at_all=False, **more):
    return read_table(spark, spec(path, **more), look_at_all=look_at_all)


@pytest.mark.parametrize("look_at_all", [False, True])
def test_types_of_csv_columns(spark, tmp_path, look_at_all):
    path = write_csv(
        tmp_path / "x.csv",
        "i,l,d,zip,flag,day,moment,text,none\n"
        "1,5000000000,2.5,007,true,2013-01-01,2013-01-01 10:00:00,a,\n"
        " 2 ,-1,NaN,8,FALSE,2013-02-01,2013-01-02T10:00:00,2013,\n"
        ",,,,,,,,\n",
    )
    found = read(spark, path, look_at_all=look_at_all)
    assert [kind for _, kind in found.dtypes] == (
        ["int", "bigint", "double", "string", "boolean", "date", "timestamp", "string", "int"]
    )
    assert found.collect()[2].asDict() == dict.fromkeys(found.columns)


def test_a_header_can_be_given(spark, tmp_path):
    path = write_csv(tmp_path / "data", "1;a\n2;b\n")
    source = {"path": str(path), "format": "csv", "header": False, "separator": ";"}
    table = {"sources": {"events": source | {"columns": ["n", "my label"]}}}
    wanted = PreprocessSpec.model_validate(table | {"label": {"column": "my label"}})
    found = read_table(spark, wanted, look_at_all=False)
    assert found.dtypes == [("n", "int"), ("my label", "string")]


@pytest.mark.parametrize("texts", [[], ["N/A"]])
def test_a_late_value_widens_its_column(spark, tmp_path, texts):
    table = pd.DataFrame({"n": ["1"] * 1500 + ["2.5", ""], "class": [0, 1] * 751})
    path = write_csv(tmp_path / "x.csv", table)
    result = run(spark, tmp_path, spec(path, scale="none", missing={"values": texts}))
    assert result.manifest["columns"]["n"]["train"]["max"] == 2.5
    assert result.manifest["all_rows_read_for_csv_types"] is not bool(texts)


@pytest.mark.parametrize(
    ("late", "said"),
    [
        ("oops", "column 'n' is not numeric: it holds 'oops'"),
        ("3,4", "x.csv has a row with too few or too many values, or a broken quote: 3,4,1"),
    ],
)
def test_a_late_bad_value_is_named(spark, tmp_path, late, said):
    path = write_csv(tmp_path / "x.csv", "n,class\n" + "1,0\n2,1\n" * 1000 + f"{late},1\n")
    with pytest.raises(DataError, match=said):
        run(spark, tmp_path, spec(path))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.csv", "", "x.csv is empty"),
        ("x.csv", "a,class\n", "the table has no rows"),
        ("x.csv", "a,class\n1,x\n1,x,9\n", "x.csv has a row with too few or too many.*: 1,x,9"),
        ("x.csv", "a,class\n1,x\n7\n", "x.csv has a row with too few or too many.*: 7"),
        ("x.csv", "a,class\n1,x\n-,y\n", "column 'a' is not numeric: it holds '-'"),
        ("x.csv", "a,class\n1,x\n12d,y\n", "column 'a' is not numeric: it holds '12d'"),
        ("x.csv", "a,klass\n1,x\n", r"no column 'class' \(did you mean 'klass'"),
        ("x.csv", "a,class\n1,x\n2,x\n", "label 'class' has one class only: 'x'"),
        ("x.csv", "a,class\n1,x\n2,\n3,\n", "label 'class' is missing in 2 rows"),
        ("x.parquet", "no parquet", "x.parquet is not a Parquet file"),
    ],
)
def test_bad_files(spark, tmp_path, capfd, name, text, said):
    path = write_csv(tmp_path / name, text)
    with pytest.raises(DataError, match=said) as caught:
        run(spark, tmp_path, spec(path))
    assert "\n" not in str(caught.value)
    context = caught.value.__context__
    assert context is None or caught.value.__suppress_context__, "no Java traceback follows"
    written = [p for p in tmp_path.iterdir() if p.is_dir()]
    assert not any(list(folder.iterdir()) for folder in written)
    assert "\tat org.apache" not in capfd.readouterr().err


def test_a_missing_input_and_an_unknown_format(spark, tmp_path):
    write_csv(tmp_path / "magic.csv", "a,class\n1,x\n")
    with pytest.raises(StorageError, match=r"magik.csv does not exist \(did you mean 'magic.csv'"):
        read(spark, tmp_path / "magik.csv")
    write_csv(tmp_path / "magic.dat", "a,class\n1,x\n")
    with pytest.raises(ConfigError, match="does not tell its format"):
        read(spark, tmp_path / "magic.dat")


def test_files_with_different_headers(spark, tmp_path):
    write_csv(tmp_path / "1.csv", "a,class\n1,x\n2,y\n")
    write_csv(tmp_path / "2.csv", "class,a\nx,1\ny,2\n")
    with pytest.raises(DataError, match=r"\d.csv has another header than the other files"):
        run(spark, tmp_path, spec(tmp_path / "*.csv"))


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT nope FROM events", "nope"),
        ("SELEC a FROM events", "Syntax error at or near 'SELEC'"),
        ("SELECT * FROM event", "`event` cannot be found"),
        ("SELECT a, a, class FROM events", "2 columns 'a'"),
        ("SELECT class FROM events", "no column is left"),
        ("SELECT array(a) AS a, class FROM events", "'a' is not numeric: its type is array"),
        ("SELECT a / 0 AS a, class FROM events", "DIVIDE_BY_ZERO"),
        ("SELECT class + 1 AS a, class FROM events", "the sql takes 'x' for a BIGINT, which it is"),
    ],
)
def test_bad_sql(spark, tmp_path, sql, said):
    path = write_csv(tmp_path / "x.csv", "a,class\n1,x\n2,y\n")
    with pytest.raises(DataError, match=said) as caught:
        run(spark, tmp_path, spec(path, sql=sql))
    assert "\n" not in str(caught.value)


def test_csv_joined_with_parquet(spark, tmp_path):
    table = events()
    write_csv(tmp_path / "events.csv", table)
    stations = pd.DataFrame({"station": [1, 2, 3], "height": [10.5, 20.5, 30.5]})
    stations.to_parquet(tmp_path / "stations.parquet")
    wanted = PreprocessSpec.model_validate(
        {
            "sources": {
                "events": {"path": str(tmp_path / "events.csv")},
                "stations": {"path": str(tmp_path / "stations.parquet")},
            },
            "sql": "SELECT a, height, class FROM events JOIN stations USING (station) WHERE b > 9",
            "label": {"column": "class"},
            "scale": "none",
        }
    )
    result = run(spark, tmp_path, wanted)
    joined = table[table.b > 9].merge(stations, on="station")
    assert result.manifest["rows"]["source"] == len(joined)
    features = [*result.split("train")[0].tolist(), *result.split("test")[0].tolist()]
    assert {height for _, height in features} == {10.5, 20.5, 30.5}


def test_what_is_no_number():
    missing = Missing([-999.0], ["NA"])
    assert [t for t in ("", " ", "NaN", "nan", "NA", "-999", "x") if missing.no_number(t)] == [
        "",
        " ",
        "NaN",
        "nan",
        "NA",
    ]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("a,a,y", "x.csv: column 'a' occurs twice"),
        ("a,A,y", "x.csv: column 'a' occurs twice"),
        ("a,,y", "x.csv: column 2 has no name"),
        ("a,größe,y", "x.csv: the name of column 2, 'gr.*', is not UTF-8"),
    ],
)
def test_a_header_with_unusable_names(spark, tmp_path, header, said):
    path = tmp_path / "x.csv"
    path.write_bytes(f"{header}\n1,2,x\n2,3,y\n".encode("latin-1"))
    with pytest.raises(DataError, match=said):
        read(spark, path)


def test_doubled_quotes_are_one_quote(spark, tmp_path):
    table = pd.DataFrame({"n": [1, 2], 'a "b", c': ['say "k0", x', "back\\"]})
    path = write_csv(tmp_path / "x.csv", table)
    found = read(spark, path)
    assert found.columns == list(table.columns)
    assert [tuple(row) for row in found.collect()] == list(table.itertuples(index=False, name=None))


def test_other_files_of_a_directory_are_left_out(spark, tmp_path):
    (tmp_path / "models.py").write_text("import this\n")
    write_csv(tmp_path / "1.csv", "a,class\n1,x\n")
    write_csv(tmp_path / "2.CSV", "a,class\n2,y\n")
    source = {"events": {"path": str(tmp_path), "format": "csv"}}
    wanted = PreprocessSpec.model_validate({"sources": source, "label": {"column": "class"}})
    assert read_table(spark, wanted, look_at_all=False).count() == 2


def test_a_directory_whose_files_lie_deeper(spark, tmp_path):
    (tmp_path / "data").mkdir()
    write_csv(tmp_path / "data" / "1.csv", "a,class\n1,x\n")
    source = {"events": {"path": str(tmp_path), "format": "csv"}}
    wanted = PreprocessSpec.model_validate({"sources": source, "label": {"column": "class"}})
    with pytest.raises(StorageError, match=r"holds no csv file itself; did you mean '.*/data'"):
        read_table(spark, wanted, look_at_all=False)


def test_a_ragged_row_is_a_plain_data_error(spark, tmp_path):
    path = write_csv(tmp_path / "x.csv", "a,class\n1,x\n1,x,9\n")
    with pytest.raises(DataError) as caught:
        run(spark, tmp_path, spec(path))
    assert type(caught.value) is DataError
