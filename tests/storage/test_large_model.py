"""A large model on HDFS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.clusters import Hdfs

pytestmark = pytest.mark.long


def test_a_large_model_takes_no_more_memory_than_keras_itself(hdfs: Hdfs, tmp_path: Path) -> None:
    script = Path(__file__).with_name("large_model.py")
    command = [sys.executable, str(script), str(tmp_path / "m.keras"), f"{hdfs.url}/large/m.keras"]
    done = subprocess.run(
        command,
        env={
            **os.environ,
            "HADOOP_CONF_DIR": str(hdfs.conf_dir),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    by_keras, with_hdfs, size, equal = map(float, done.stdout.split())
    assert size > 490
    assert equal
    assert with_hdfs < by_keras + 100
