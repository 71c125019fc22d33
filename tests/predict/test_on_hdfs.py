"""Model, rows and predictions on a real HDFS, without Spark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distkeras.command import main
from distkeras.storage import files_of, find, read_bytes, write_bytes
from distkeras.storage.hdfs_settings import HdfsSettings, hdfs_settings, use_hdfs_settings
from scripts.clusters import Hdfs
from tests.predict.saved import raw_rows, trained


@pytest.fixture
def home(hdfs: Hdfs, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hdfs.conf_dir))
    before = hdfs_settings()
    use_hdfs_settings(HdfsSettings(timeout=60.0))
    yield f"{hdfs.url}/predict"
    use_hdfs_settings(before)


def test_all_of_it_is_there(home: str, tmp_path: Path, capsys: Any) -> None:
    model = trained(tmp_path / "Train")
    raw_rows(500).to_csv(tmp_path / "rows.csv", index=False)
    files_of(home).make_directory(f"{home}/model")
    for path in model.iterdir():
        write_bytes(f"{home}/model/{path.name}", path.read_bytes())
    write_bytes(f"{home}/rows.csv", (tmp_path / "rows.csv").read_bytes())
    output = f"{home}/new/scored.parquet"
    there = ["--model", f"{home}/model", "--input", f"{home}/rows.csv", "--output", output]
    assert main(["predict", *there]) == 0
    assert capsys.readouterr().out == f"{output}: 500 rows\n"
    here = tmp_path / "scored.parquet"
    local = ["--model", str(model), "--input", str(tmp_path / "rows.csv"), "--output", str(here)]
    assert main(["predict", *local]) == 0
    assert pq.read_table(pa.BufferReader(read_bytes(output))).equals(pq.read_table(here))
    assert [found.name for found in find(f"{home}/new/*")] == ["scored.parquet"]
