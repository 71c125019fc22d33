"""A worker process killed by SIGKILL, in a real Spark that retries it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    folder = tmp_path_factory.mktemp("killed")
    script = Path(__file__).with_name("killed_worker.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert sorted(path.name for path in folder.iterdir()) == ["killed-1", "killed-2"]
    return json.loads(done.stdout.splitlines()[-1])


def test_one_worker_ends_at_the_same_center_bit_for_bit(results: dict[str, dict]) -> None:
    assert results["killed-1"]["weights"] == results["plain-1"]["weights"]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_row_is_merged_once_an_epoch(results: dict[str, dict], workers: int) -> None:
    killed, plain = results[f"killed-{workers}"], results[f"plain-{workers}"]
    assert killed["rows_merged"] == 300 * 3
    assert killed["windows"] == plain["windows"] == killed["history"]
