"""The checks, in their order; a new one is a line here."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable, Generator
from typing import NamedTuple

from distkeras.doctor.case import Case
from distkeras.doctor.disks import check_disks, check_disks_there
from distkeras.doctor.findings import Finding, failed
from distkeras.doctor.hdfs import check_hdfs
from distkeras.doctor.java import check_java
from distkeras.doctor.network import check_clocks, check_connection
from distkeras.doctor.question import Question
from distkeras.doctor.spark import check_address, check_executors, check_spark
from distkeras.doctor.spark_process import SparkProcess
from distkeras.doctor.versions import check_java_there, check_packages, check_python
from distkeras.errors import DistkerasError

__all__ = ["CHECKS", "Check", "diagnose", "examined"]

#: Seconds beyond its own deadline after which a check is no longer waited for.
GRACE = 5.0


class Check(NamedTuple):
    """One of the checks.

    Attributes:
        name: how its line begins.
        look: what it does.
    """

    name: str
    look: Callable[[Case], Finding]


CHECKS = (
    Check("java", check_java),
    Check("disks", check_disks),
    Check("hdfs", check_hdfs),
    Check("spark", check_spark),
    Check("address", check_address),
    Check("executors", check_executors),
    Check("java there", check_java_there),
    Check("python", check_python),
    Check("packages", check_packages),
    Check("connection", check_connection),
    Check("clocks", check_clocks),
    Check("disks there", check_disks_there),
)


def diagnose(question: Question) -> Generator[tuple[str, Finding], None, None]:
    """Makes all checks, whatever one of them finds.

    Args:
        question: what is examined.

    Yields:
        The name of each check and what it found, as soon as it has.
    """
    with SparkProcess(question.settings, question.timeout) as spark:
        case = Case(question, spark)
        for check in CHECKS:
            yield check.name, examined(check, case)


def examined(check: Check, case: Case) -> Finding:
    """What a check finds, or that it has failed, or has not ended in its time."""
    said: queue.Queue[Finding] = queue.Queue()

    def look() -> None:
        said.put(_guarded(check, case))

    # What hangs, as a disk of a server that is gone, must not hold up the rest.
    threading.Thread(target=look, name=f"distkeras-doctor-{check.name}", daemon=True).start()
    try:
        return said.get(timeout=case.question.timeout + GRACE)
    except queue.Empty:
        return failed(f"did not end within {case.question.timeout:g} s")


def _guarded(check: Check, case: Case) -> Finding:
    try:
        return check.look(case)
    except DistkerasError as error:
        return failed(str(error))
    except subprocess.TimeoutExpired as late:
        return failed(f"{late.cmd[0]} did not end within {late.timeout:g} s")
    except Exception as error:  # noqa: BLE001 - one check's failure hides no other
        return failed(f"the check itself failed: {type(error).__name__}: {error}")
