"""One file that appears whole, in place of another."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from distkeras.errors import DataError, StorageError
from distkeras.storage import publish_file, read_bytes
from distkeras.storage.hdfs_settings import HdfsSettings, hdfs_settings, use_hdfs_settings
from scripts.clusters import Hdfs

KILLED = """
import os, sys
from distkeras.storage import publish_file
with publish_file(sys.argv[1]) as path:
    path.write_text("half")
    os.kill(os.getpid(), 9)
"""


def fail_half_way(final: Path | str) -> None:
    with publish_file(final) as path:
        path.write_text("half")
        raise DataError("row 7")


def test_a_file_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    final = tmp_path / "new" / "x.csv"
    for text in ("first", "second"):
        with publish_file(final) as path:
            path.write_text(text)
            assert path.suffix == ".csv"
            assert not final.exists() or final.read_text() == "first"
        assert final.read_text() == text
    assert os.listdir(final.parent) == ["x.csv"]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    final = tmp_path / "x.csv"
    final.write_text("old")
    with pytest.raises(DataError, match="row 7"):
        fail_half_way(final)
    assert (os.listdir(tmp_path), final.read_text()) == (["x.csv"], "old")


def test_a_killed_writer_leaves_what_was_there(tmp_path: Path) -> None:
    final = tmp_path / "x.csv"
    final.write_text("old")
    ran = subprocess.run([sys.executable, "-c", KILLED, str(final)], check=False)
    assert (ran.returncode, final.read_text()) == (-9, "old")
    assert [name for name in os.listdir(tmp_path) if not name.startswith(".")] == ["x.csv"]


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=f"{tmp_path}: cannot be written: a directory stands"),
        publish_file(tmp_path),
    ):
        pass
    final = tmp_path / "x.csv"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        said = f"^{final}: cannot write: no space left"
        with pytest.raises(StorageError, match=said), publish_file(final) as path:
            path.write_bytes(bytes(1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []


def test_on_hdfs(hdfs: Hdfs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hdfs.conf_dir))
    before, final = hdfs_settings(), f"{hdfs.url}/published/x.csv"
    use_hdfs_settings(HdfsSettings(timeout=60.0))
    try:
        for text in ("first", "second"):
            with publish_file(final) as path:
                path.write_text(text)
            assert read_bytes(final) == text.encode()
        with pytest.raises(DataError):
            fail_half_way(final)
        assert read_bytes(final) == b"second"
    finally:
        use_hdfs_settings(before)
