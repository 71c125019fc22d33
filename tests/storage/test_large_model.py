"""A large model on HDFS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.clusters import Hdfs

pytestmark = pytest.mark.long


def peak(how: str, where: str, hdfs: Hdfs) -> float:
    """The most memory, MB, of a process that saves and loads a model of 500 MB."""
    script = Path(__file__).with_name("large_model.py")
    found = {"HADOOP_CONF_DIR": str(hdfs.conf_dir), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, str(script), how, where],
        env={**os.environ, **found},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    megabytes, same = map(float, done.stdout.split())
    assert same
    return megabytes


def test_a_large_model_takes_no_more_memory_than_keras_itself(hdfs: Hdfs, tmp_path: Path) -> None:
    local = tmp_path / "m.keras"
    by_keras = peak("keras", str(local), hdfs)
    assert local.stat().st_size > 490e6
    assert peak("storage", f"{hdfs.url}/large/m.keras", hdfs) < by_keras + 100
