"""The rows of raw files without Spark: the same as with it, or an error."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distkeras.errors import DataError, StorageError
from distkeras.preprocessing.batches import raw_batches
from distkeras.preprocessing.sources import read_raw
from distkeras.preprocessing.spec import SourceSpec


def source(path: Path, **more: Any) -> SourceSpec:
    return SourceSpec.model_validate({"path": str(path), **more})


def rows_of(wanted: SourceSpec) -> list[dict[str, Any]]:
    pieces = raw_batches(wanted, wanted.kind or "csv")
    return [row for piece in pieces for row in piece.rows.to_pylist()]


TEXTS = {
    "plain": "a,b\n1,x\n2,\n",
    "white": "a , b\n 1,\tx \n2,   \n",
    "quotes": 'a,"b ""c"""\n"1,5","he said ""no"""\n"",""\n',
    "windows": "\ufeffa,b\r\n1,x\r\n\r\n2,y\r\n",
    "header alone": "a,b\n",
    "no last newline": "a,b\n1,007",
    "names": "a.b,`c`\n1,x\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_csv_is_read_as_spark_reads_it(spark, tmp_path, name):
    path = tmp_path / "x.csv"
    path.write_bytes(TEXTS[name].encode())
    by_spark = read_raw(spark, "--input", source(path), "csv")
    found = rows_of(source(path))
    assert found == [
        {key: value or None for key, value in row.asDict().items()} for row in by_spark.collect()
    ]
    (first, *_) = raw_batches(source(path), "csv")
    assert first.rows.schema.names == by_spark.columns
    assert set(first.rows.schema.types) == {pa.string()}


def test_other_forms_of_csv(tmp_path):
    (tmp_path / "x.tsv").write_text("1\tx\n2\ty\n")
    wanted = source(tmp_path / "x.tsv", header=False, columns=["n", "t"], separator="\\t")
    assert rows_of(wanted) == [{"n": "1", "t": "x"}, {"n": "2", "t": "y"}]
    packed = tmp_path / "x.csv.gz"
    packed.write_bytes(gzip.compress(b"n\n5\n"))
    assert rows_of(source(packed)) == [{"n": "5"}]


def test_a_folder_is_read_file_by_file(tmp_path):
    for name, text in {"b": "n\n2\n3\n", "a": "n\n1\n"}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    (tmp_path / "README.md").write_text("what this is")
    (tmp_path / "_begun.csv").write_text("m\n")
    pieces = [p for p in raw_batches(source(tmp_path, format="csv"), "csv") if p.rows.num_rows]
    assert [(p.file, p.first_row) for p in pieces] == [
        (str(tmp_path / "a.csv"), 0),
        (str(tmp_path / "b.csv"), 0),
    ]
    assert rows_of(source(tmp_path / "[ab].csv")) == [{"n": text} for text in "123"]


def test_parquet_keeps_its_types(tmp_path):
    table = pa.table({"n": pa.array([1.5, None]), "t": ["x", "y"]})
    pq.write_table(table, tmp_path / "x.parquet")
    assert rows_of(source(tmp_path / "x.parquet")) == table.to_pylist()


def test_large_files_come_in_pieces(tmp_path):
    count = 300_000
    path = tmp_path / "x.csv"
    pd.DataFrame({"n": range(count), "text": "some words"}).to_csv(path, index=False)
    pieces = list(raw_batches(source(path), "csv"))
    assert len(pieces) > 1
    starts = [piece.first_row for piece in pieces]
    assert [p.rows["n"][0].as_py() for p in pieces if p.rows.num_rows] == [
        str(start) for start in starts[1:]
    ]
    assert starts[-1] + pieces[-1].rows.num_rows == count


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is empty"),
        (b"a,a\n1,2\n", "column 'a' occurs twice"),
        (b"a,\n1,2\n", "column 2 has no name"),
        (b"a,b\n1,2\n1,2,3\n", "a row has 3 values, not 2: 1,2,3"),
        (b"a,b\n1\n", "a row has 1 values, not 2: 1"),
        (b"a,b\n1,\xff\n", "holds text that is not UTF-8"),
        (b'a,b\n1, "x"\n', "column 'b': white space before a quote, which needs Spark"),
        (b"a\n" + b"x" * (12 << 20) + b"\n1\n", "a row is longer than 4 MiB, or a quote is broken"),
    ],
)
def test_a_bad_csv_is_named(tmp_path, text, said):
    path = tmp_path / "x.csv"
    path.write_bytes(text)
    with pytest.raises(DataError) as caught:
        rows_of(source(path))
    assert str(caught.value) == f"{path}: {said}"


def test_other_bad_files_are_named(tmp_path):
    torn = tmp_path / "x.csv.gz"
    torn.write_bytes(gzip.compress(b"n\n1\n" * 1000)[:-20])
    with pytest.raises(DataError, match=r"x.csv.gz: cannot be unpacked: .*end"):
        rows_of(source(torn))
    with pytest.raises(DataError, match=r"separator '\|\|' needs Spark"):
        rows_of(source(torn, separator="||"))
    (tmp_path / "x.parquet").write_text("none")
    with pytest.raises(DataError, match=r"x.parquet: .*[Pp]arquet"):
        rows_of(source(tmp_path / "x.parquet"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(StorageError, match="empty holds no csv file"):
        rows_of(source(tmp_path / "empty", format="csv"))
    (tmp_path / "days" / "day=1").mkdir(parents=True)
    (tmp_path / "days" / "day=1" / "x.csv").write_text("n\n1\n")
    with pytest.raises(StorageError, match=r"day=1/x.csv: the folder's name is a column"):
        rows_of(source(tmp_path / "days", format="csv"))


def test_files_have_the_same_columns(tmp_path):
    (tmp_path / "a.csv").write_text("n,m\n1,2\n")
    (tmp_path / "b.csv").write_text("m,n\n1,2\n")
    with pytest.raises(DataError, match=r"b.csv: has other columns .*: m string, n string; not n"):
        rows_of(source(tmp_path, format="csv"))


MEMORY = """
import sys
import pyarrow as pa
from distkeras.predict.files import write_batches
from distkeras.preprocessing.batches import raw_batches
from distkeras.preprocessing.spec import SourceSpec
pieces = raw_batches(SourceSpec(path=sys.argv[1]), "csv")
rows = write_batches(sys.argv[2], sys.argv[2].split(".")[-1], (piece.rows for piece in pieces))
print(rows, pa.default_memory_pool().max_memory())
"""


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path, ending):
    path, line = tmp_path / "x.csv", ",".join(["12.3456789"] * 20) + "\n"
    with path.open("w") as file:
        file.write(",".join(f"c{i}" for i in range(20)) + "\n")
        for _ in range(100):
            file.write(line * 5000)
    output = tmp_path / f"y.{ending}"
    command = [sys.executable, "-c", MEMORY, str(path), str(output)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    rows, most = map(int, ran.stdout.split())
    assert rows == 500_000
    assert most < path.stat().st_size / 1.4
    assert ending == "parquet" or output.read_bytes() == path.read_bytes()
