"""The checks that need no Spark, and what is made of what the executors said."""

from __future__ import annotations

import io
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distkeras.command import main
from distkeras.doctor import table
from distkeras.doctor.case import Case
from distkeras.doctor.command import report
from distkeras.doctor.disks import check_disks, check_disks_there
from distkeras.doctor.facts import Executor, Session
from distkeras.doctor.findings import Finding, Status, failed, ok, skipped, warning, worst
from distkeras.doctor.hdfs import check_hdfs
from distkeras.doctor.java import check_java, oldest_java
from distkeras.doctor.network import check_clocks, check_connection
from distkeras.doctor.probe import disk, package_versions
from distkeras.doctor.question import Question
from distkeras.doctor.spark import check_spark
from distkeras.doctor.spark_process import SparkProcess
from distkeras.doctor.versions import check_java_there, check_packages, check_python
from distkeras.errors import ConfigError, DataError

HERE = package_versions()
PYTHON = ".".join(map(str, sys.version_info[:3]))
GIB = 2**30


@pytest.fixture
def case() -> Iterator[Case]:
    """Nothing is known yet, and Spark is not started."""
    question = Question(timeout=20)
    with SparkProcess({}, question.timeout) as spark:
        yield Case(question, spark)


def executor(host: str = "one", **fields: Any) -> Executor:
    """One that is as the driver is, unless told otherwise."""
    usual = {
        "java": "17.0.15",
        "python": PYTHON,
        "executable": "/usr/bin/python3",
        "packages": HERE,
        "disks": (),
        "skew": 0.001,
        "uncertainty": 0.002,
    }
    return Executor(host, **{**usual, **fields})


def with_executors(case: Case, *executors: Executor) -> Case:
    case.session = Session("4.3.0", "4.3.0", "spark://m:7077", "17.0.15", 1.0)
    case.address = "driver", 7100
    case.executors = executors
    return case


def script(folder: Path, text: str) -> Path:
    """An executable at bin/java."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\n{text}\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    return java


def test_a_finding_is_one_line() -> None:
    found = failed("Spark said:\nno", "start\nit")
    assert found.line("spark") == "failed   spark        Spark said: no: start it"
    assert ok("here").line("java there") == "ok       java there   here"


def test_the_worst_findings_stand_for_all() -> None:
    told = [ok("a"), warning("b", "mend"), failed("c", "do"), failed("d", "do"), skipped("e")]
    assert worst(told) == Finding(Status.FAILED, "c; d", "do")
    assert worst(told[:2]).found == "b"
    assert worst([skipped("e"), ok("a")]) == ok("a")


def test_java_as_it_is(case: Case) -> None:
    found = check_java(case)
    assert found.status is Status.OK
    assert found.found.startswith("Java ")


def test_a_java_home_without_java(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    found = table.examined(table.Check("java", check_java), case)
    assert found.status is Status.FAILED
    assert found.found.startswith(f"Java was not found (JAVA_HOME is {tmp_path}, without bin/java)")


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("""echo 'openjdk version "11.0.2" 2019-01-15' >&2""", "Java 11.0.2 ({}) is too old"),
        ("""echo 'java version "1.8.0_292"'""", "Java 1.8.0_292 ({}) is too old"),
        ("echo 'no such thing' >&2; exit 3", "{} -version says 'no such thing'"),
        ("exit 3", "{} -version says 'exit status 3'"),
    ],
)
def test_a_java_that_spark_cannot_use(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, told: str
) -> None:
    java = script(tmp_path, says)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    found = check_java(case)
    assert found.status is Status.FAILED
    assert found.found == told.format(java)
    assert found.remedy == f"Spark needs Java {oldest_java()} or newer: set JAVA_HOME to one"


def test_a_java_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = script(tmp_path, "exec sleep 600")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with SparkProcess({}, 1) as spark:
        found = table.examined(table.Check("java", check_java), Case(Question(timeout=1), spark))
    assert found == failed(f"{java} did not end within 1 s")


def test_a_check_that_raises_or_hangs_has_a_line_too(case: Case) -> None:
    def refuse(case: Case) -> Finding:
        raise DataError("no such thing")

    def break_down(case: Case) -> Finding:
        raise ZeroDivisionError("by zero")

    assert table.examined(table.Check("a", refuse), case) == failed("no such thing")
    broken = table.examined(table.Check("b", break_down), case)
    assert broken == failed("the check itself failed: ZeroDivisionError: by zero")

    released = threading.Event()
    started = time.monotonic()
    hanging = table.Check("c", lambda case: [released.wait(600), ok("")][1])
    found = table.examined(hanging, Case(Question(timeout=0.5), case.spark))
    released.set()
    assert found == failed("did not end within 0.5 s")
    assert time.monotonic() - started < 60


def test_a_master_where_nobody_listens_is_told_before_spark_starts(case: Case) -> None:
    with_port = {"spark.master": "spark://127.0.0.1:1"}
    found = check_spark(Case(Question(with_port), case.spark))
    assert found.status is Status.FAILED
    assert found.found == ("spark://127.0.0.1:1 cannot be reached: 127.0.0.1:1: Connection refused")
    unknown = {"spark.master": "spark://no.such.host.invalid:7077"}
    found = check_spark(Case(Question(unknown), case.spark))
    assert found.found.startswith("spark://no.such.host.invalid:7077 cannot be reached: no.such.")


def test_nothing_is_said_of_executors_that_did_not_answer(case: Case) -> None:
    for check in (check_python, check_packages, check_connection, check_clocks, check_java_there):
        assert check(case).status is Status.SKIPPED
    assert check_disks_there(case).status is Status.SKIPPED


def test_the_same_versions_everywhere(case: Case) -> None:
    with_executors(case, executor("one"), executor("two"))
    assert check_python(case).status is Status.OK
    assert check_java_there(case) == ok("Java 17.0.15 on the executors, too")
    found = check_packages(case)
    assert found.status is Status.OK
    assert found.found.endswith("the same on the executors")
    assert f"numpy {HERE['numpy']}" in found.found


@pytest.mark.parametrize(
    ("changed", "status", "told"),
    [
        ({"keras": "1.2.3"}, Status.FAILED, "but 1.2.3 on two"),
        ({"numpy": f"{'.'.join(HERE['numpy'].split('.')[:2])}.99"}, Status.WARNING, ".99 on two"),
        ({"distkeras": "00000000"}, Status.FAILED, "but 00000000 on two"),
        ({"pyspark": HERE["pyspark"] + ".1"}, Status.FAILED, "pyspark"),
    ],
)
def test_a_package_that_differs_is_named_with_the_host(
    case: Case, changed: dict[str, str], status: Status, told: str
) -> None:
    with_executors(case, executor("one"), executor("two", packages={**HERE, **changed}))
    found = check_packages(case)
    assert found.status is status
    assert told in found.found
    assert "make package" in found.remedy


def test_a_package_that_is_missing_there(case: Case) -> None:
    packages = {name: version for name, version in HERE.items() if name != "tensorflow"}
    with_executors(case, executor(packages=packages))
    found = check_packages(case)
    assert found.status is Status.FAILED
    assert found.found == f"tensorflow {HERE['tensorflow']} on the driver, but missing on one"


def test_another_python_or_java(case: Case) -> None:
    with_executors(case, executor("two", python="3.8.1", java="21.0.1"))
    found = check_python(case)
    assert found.status is Status.FAILED
    assert "but 3.8.1 on two" in found.found
    assert check_java_there(case).status is Status.WARNING
    with_executors(case, executor(python=f"{PYTHON}9", java="17.0.1"))
    assert check_python(case).status is Status.WARNING
    assert check_java_there(case).status is Status.OK


def test_executors_that_do_not_reach_the_driver(case: Case) -> None:
    with_executors(case, executor("one"), executor("two", problem="timed out"))
    found = check_connection(case)
    assert found.status is Status.FAILED
    assert found.found == "not all executors reach driver:7100: two: timed out"
    assert "spark.distkeras.port" in found.remedy
    with_executors(case, executor("one"))
    assert check_connection(case) == ok("all executors reach driver:7100, token and all")


@pytest.mark.parametrize(
    ("skew", "uncertainty", "status", "told"),
    [
        (0.5, 0.001, Status.OK, "within 0.501 s"),
        (-30.0, 0.1, Status.WARNING, "two is 30.0 s behind the driver"),
        (600.0, 0.1, Status.FAILED, "two is 600.0 s ahead of the driver"),
        # Nobody can tell: the answer may have taken as long.
        (4.0, 4.0, Status.OK, "within 8.000 s"),
    ],
)
def test_clocks(case: Case, skew: float, uncertainty: float, status: Status, told: str) -> None:
    with_executors(
        case,
        executor("one"),
        executor("two", skew=skew, uncertainty=uncertainty),
        executor("lost", skew=None, problem="timed out"),
    )
    found = check_clocks(case)
    assert found.status is status
    assert told in found.found


def test_room_on_the_disks(case: Case, tmp_path: Path) -> None:
    free = disk(str(tmp_path))["free"] / GIB
    settings = {"spark.local.dir": str(tmp_path)}

    def looked(room: float) -> Finding:
        return check_disks(Case(Question(settings, output=str(tmp_path), room=room), case.spark))

    enough = looked(free / 100)
    assert enough.status is Status.OK
    assert str(tmp_path) in enough.found
    assert looked(free / 2).status is Status.WARNING
    full = looked(free * 2)
    assert full.status is Status.FAILED
    assert "spark.local.dir" in full.remedy


def test_a_folder_that_nothing_can_be_written_to(case: Case, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    found = check_disks(Case(Question({"spark.local.dir": str(gone)}, room=1e-6), case.spark))
    assert found.status is Status.FAILED
    assert found.found == f"{gone} cannot be written to: No such file or directory"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_disk_that_is_full(case: Case, tmp_path: Path) -> None:
    mounted = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        settings = {"spark.local.dir": str(tmp_path)}
        empty = check_disks(Case(Question(settings, output="/"), case.spark))
        (tmp_path / "all").write_bytes(b"\0" * 64 * 1024)
        full = check_disks(Case(Question(settings, output="/"), case.spark))
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert empty.status is Status.FAILED
    assert empty.found == f"0.0 GiB free in {tmp_path}"
    assert full.found == f"{tmp_path} cannot be written to: No space left on device"


def test_disks_of_executors_are_named_with_their_host(case: Case) -> None:
    full = {"folder": "/data", "device": 1, "free": GIB // 2, "problem": ""}
    room = {"folder": "/tmp", "device": 2, "free": 100 * GIB, "problem": ""}
    with_executors(case, executor("one", disks=(room,)), executor("two", disks=(full, room)))
    found = check_disks_there(case)
    assert found.status is Status.FAILED
    assert found.found == "0.5 GiB free in /data on two"


def test_hdfs_is_skipped_where_there_is_none(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    assert check_hdfs(case).status is Status.SKIPPED


def test_an_hdfs_where_nobody_answers(case: Case, tmp_path: Path) -> None:
    asked = Question(hdfs="hdfs://127.0.0.1:1/user", timeout=2)
    found = table.examined(table.Check("hdfs", check_hdfs), Case(asked, case.spark))
    assert found.status is Status.FAILED
    assert found.found.startswith("hdfs://127.0.0.1:1/user: cannot look at: connection refused")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--conf", "spark.master"], "--conf spark.master: write KEY=VALUE"),
        (["--conf", "master=local"], "'master' is no setting of Spark: they begin with spark."),
        (["--timeout", "0"], "timeout is 0"),
        (["--hdfs", "/tmp"], "hdfs is '/tmp', but must be hdfs://host:port/path"),
    ],
)
def test_a_wrong_question_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(["doctor", *arguments]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"ERROR: {told}")
    assert len(said.err.splitlines()) == 1


def test_room_must_be_some() -> None:
    with pytest.raises(ConfigError, match="room is -1"):
        Question(room=-1)


def test_the_status_says_whether_something_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    for finding, status in ((warning("hm"), 0), (failed("no"), 1), (skipped("none"), 0)):
        monkeypatch.setattr(table, "CHECKS", (table.Check("it", lambda case, f=finding: f),))
        said = io.StringIO()
        assert report(Question(), said) == status
        assert said.getvalue() == finding.line("it") + "\n"


def test_a_process_that_is_stopped_is_ended_too() -> None:
    with SparkProcess({}, 0.1) as spark:
        spark.start()
        stopped = spark._process
        assert stopped is not None
        stopped.send_signal(signal.SIGSTOP)
        status, deadline = Path(f"/proc/{stopped.pid}/status"), time.monotonic() + 30.0
        while "T (stopped)" not in status.read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        ending = threading.Thread(target=spark.end, args=(0,), daemon=True)
        ending.start()
        ending.join(20.0)
        ended = not ending.is_alive()
        stopped.kill()
    assert ended
