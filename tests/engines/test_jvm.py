"""Spark's JVM that does not start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
from distkeras.engines.jvm import start_spark
from distkeras.errors import EnvironmentProblem

try:
    start_spark({"spark.app.name": "test", sys.argv[1]: sys.argv[2]}, Path(sys.argv[3]))
except EnvironmentProblem as problem:
    print(problem)
"""


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("spark.master", "local[x]", "SparkException: Could not parse Master URL: 'local[x]'"),
        ("spark.driver.memory", "1q", "Invalid maximum heap size: -Xmx1q"),
    ],
)
def test_one_line_says_what_is_in_the_way(tmp_path: Path, key: str, value: str, told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, key, value, str(tmp_path / "spark.log")],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert done.stdout == f"Spark did not start: {told}\n"
