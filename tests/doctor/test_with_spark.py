"""The doctor as a user calls it, with a real Spark: what it says, and that it ends."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from distkeras.doctor import table
from distkeras.doctor.spark_side import probed
from tests.tasks.workspace import Workspace

ROOT = Path(__file__).parents[2]

#: Beside the options of each test: a small JVM that is soon there.
QUICK = (
    "--conf=spark.driver.memory=1g",
    "--conf=spark.driver.extraJavaOptions=-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    "--room=0.001",
)
NAMES = [check.name for check in table.CHECKS]


@dataclass(frozen=True)
class Report:
    """What a doctor said.

    Attributes:
        status: of its process.
        lines: (status, text) by the check's name.
        seconds: that it took.
        other: what was on standard error.
    """

    status: int
    lines: dict[str, tuple[str, str]]
    seconds: float
    other: str

    def of(self, status: str) -> list[str]:
        """The checks with this status."""
        return [name for name, (its, _) in self.lines.items() if its == status]


def told(output: str) -> dict[str, tuple[str, str]]:
    """The lines of a doctor, each of which must be one."""
    form = re.compile(
        rf"(ok|warning|failed|skipped) +({'|'.join(sorted(NAMES, key=len)[::-1])}) +(.*)"
    )
    found = [form.fullmatch(line) for line in output.splitlines()]
    assert all(found), output
    assert [one[2] for one in found if one] == NAMES
    return {one[2]: (one[1], one[3]) for one in found if one}


def doctor(*options: str, folder: Path = ROOT, **environment: str) -> Report:
    command = [sys.executable, "-m", "distkeras", "doctor", *QUICK, *options]
    inherited = {k: v for k, v in os.environ.items() if k != "HADOOP_CONF_DIR"}
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Report(done.returncode, told(done.stdout), time.monotonic() - started, done.stderr)


def commands_with(text: str) -> list[str]:
    """The command lines of all processes that hold this text."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and int(folder.name) != os.getpid():
            found.append(line)
    return found


def test_where_all_is_well() -> None:
    found = doctor("--master=local[2]")
    assert found.of("failed") == [], found
    assert found.status == 0
    assert found.of("skipped") == ["hdfs"]
    assert found.other == ""
    assert "2 task slots: " in found.lines["executors"][1]
    assert found.lines["address"][1].startswith("workers connect to 127.0.0.1:")
    assert found.lines["packages"][1].endswith("the same on the executors")
    assert "token and all" in found.lines["connection"][1]
    assert found.lines["clocks"][0] == "ok"


def test_another_package_on_the_executors(tmp_path: Path) -> None:
    metadata = tmp_path / "keras-0.0.1.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: keras\nVersion: 0.0.1\n")
    found = doctor("--master=local[2]", f"--conf=spark.executorEnv.PYTHONPATH={tmp_path}")
    assert found.of("failed") == ["packages"]
    assert found.status == 1
    host = socket.gethostname()
    assert re.match(
        rf"keras \S+ on the driver, but 0\.0\.1 on {host}: ", found.lines["packages"][1]
    )


def test_executors_without_the_library(tmp_path: Path) -> None:
    package = tmp_path / "distkeras" / "__init__.py"
    package.parent.mkdir()
    package.write_text("raise ImportError('it is not there')\n")
    elsewhere = tmp_path / "elsewhere"  # Where a worker starts, it looks for modules first.
    elsewhere.mkdir()
    path = f"--conf=spark.executorEnv.PYTHONPATH={tmp_path}"
    found = doctor("--master=local[2]", path, folder=elsewhere)
    assert found.of("failed") == ["packages"]
    assert "on the driver, but missing on" in found.lines["packages"][1]


def test_executors_whose_python_is_none() -> None:
    found = doctor("--master=local[2]", "--conf=spark.pyspark.python=/no/such/python")
    assert found.of("failed") == ["executors"]
    text = found.lines["executors"][1]
    assert "/no/such/python" in text
    assert "PYSPARK_PYTHON, of the executors, must be a Python on every host" in text


def test_a_wrong_java_hides_nothing_else(tmp_path: Path) -> None:
    found = doctor("--master=local[2]", JAVA_HOME=str(tmp_path))
    assert found.status == 1
    assert found.of("failed") == ["java", "spark"]
    assert found.lines["disks"][0] in ("ok", "warning")
    assert f"JAVA_HOME is {tmp_path}, without bin/java" in found.lines["java"][1]


def test_a_master_that_does_not_answer_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        master = f"spark://127.0.0.1:{silent.getsockname()[1]}"
        found = doctor(f"--master={master}", "--timeout=10")
        assert found.status == 1
        assert found.of("failed") == ["spark"]
        assert found.lines["spark"][1].startswith(f"no answer from {master} within 10 s: ")
        # Of all checks together; a Spark that is left alone tries for a minute.
        assert found.seconds < 40
        assert commands_with(master) == []


def test_a_master_where_nobody_listens() -> None:
    found = doctor("--master=spark://127.0.0.1:1")
    assert found.of("failed") == ["spark"]
    assert found.lines["spark"][1].startswith(
        "spark://127.0.0.1:1 cannot be reached: 127.0.0.1:1: Connection refused: is the Master up"
    )
    assert found.of("skipped") == ["hdfs", *NAMES[NAMES.index("address") :]]


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        chosen = (f"--conf=spark.distkeras.port={port}", "--conf=spark.port.maxRetries=0")
        found = doctor("--master=local[2]", *chosen)
    assert found.of("failed") == ["address"]
    said = f"cannot listen for workers at 127.0.0.1:{port}: Address already in use"
    assert found.lines["address"][1].startswith(said)
    assert "executors" in found.of("skipped")


def test_a_port_that_executors_do_not_reach(spark: SparkSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = closed.getsockname()
    told = {"host": address[0], "port": address[1], "token": "00" * 32, "seconds": 1.0}
    found = probed(spark, 2, told)
    place = f"{address[0]}:{address[1]}"
    assert sorted(one["connection"]["problem"] for one in found) == [
        f"ExchangeTimeout: worker {number} could not reach the parameter server at "
        f"{place} within 1 s: Connection refused"
        for number in range(2)
    ]


def test_the_luigi_command_hands_its_settings_over(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path)
    (workspace.folder / "luigi.cfg").write_text(
        "[spark]\nmaster = local[1]\ndriver_memory = 1g\nconf = spark.distkeras.port=70000\n"
    )
    command = [sys.executable, "-m", "tasks", "doctor", "config.toml", "--room", "0.001"]
    run = workspace.run(command)
    found = told(run.stdout)
    assert run.status == 1
    assert found["spark"][1].startswith("Spark ")
    assert ", local[1], " in found["spark"][1]
    assert found["address"] == (
        "failed",
        "spark.distkeras.port is '70000', but must be a whole number from 0 to 65535",
    )
    wrong = workspace.run([*command, "--set", "train.sed=1"])
    assert wrong.status == 1
    assert wrong.stdout == ""
    assert wrong.errors[0].endswith("did you mean train.seed?")


@pytest.mark.parametrize("option", ["--help", "doctor --help"])
def test_help_is_there_at_once(option: str) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "distkeras", *option.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "doctor" in done.stdout
    assert not re.search(r"\| +(pyspark|tensorflow|keras)$", done.stderr, re.MULTILINE)
