"""Spark's JVM: why it does not start, and what its arguments do not tell."""

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


SECRETIVE = """
import sys
from pathlib import Path
from pyspark import SparkContext
from distkeras.engines.jvm import end_jvm, start_spark

settings = {"spark.master": "local[1]", "spark.app.name": "test", "spark.ui.enabled": "false"}
settings["spark.authenticate.secret"] = "s3cret-of-mine"
session = start_spark(settings, Path(sys.argv[1]))
print(session.conf.get("spark.authenticate.secret"))
print("-- arguments --")
group = f"/proc/{SparkContext._gateway.proc.pid}/cmdline"
print(Path(group).read_bytes().replace(b"\\0", b" ").decode())
end_jvm()
"""


def test_a_secret_among_sparks_settings_is_not_in_the_arguments(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SECRETIVE, str(tmp_path / "spark.log")],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    told, _, arguments = done.stdout.partition("-- arguments --")
    assert told == "s3cret-of-mine\n"
    assert "spark.app.name=test" in arguments
    assert "s3cret-of-mine" not in arguments


COLLECTED = """
import logging, sys
from pathlib import Path
from pyspark import SparkContext
from distkeras.engines.jvm import end_jvm, start_spark

settings = {"spark.master": "local[1]", "spark.app.name": "test", "spark.ui.enabled": "false"}
session = start_spark(settings, Path(sys.argv[1]))
name = session.range(3)._jdf._target_id
client = SparkContext._gateway._gateway_client
end_jvm()
logging.basicConfig(stream=sys.stdout, level=logging.DEBUG)
client.garbage_collect_object(name, False)  # As Py4J's own thread does, a second later.
print("done")
"""


def test_a_jvm_that_has_ended_is_not_told_what_python_collects(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COLLECTED, str(tmp_path / "spark.log")],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert done.stdout.splitlines()[0] == "done"
