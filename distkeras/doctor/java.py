"""Java: found, and one that this pyspark accepts."""

from __future__ import annotations

import os
import re
import subprocess
import zipfile
from importlib.util import find_spec
from pathlib import Path

from distkeras.doctor.case import Case
from distkeras.doctor.findings import Finding, failed, ok
from distkeras.engines.jvm import java_command

__all__ = ["check_java", "oldest_java"]

#: Java 1's class files have the version 45.
CLASS_FILES = 44


def check_java(case: Case) -> Finding:
    """Runs the Java that Spark would run."""
    java, needed = java_command(), oldest_java()
    remedy = f"Spark needs Java {needed} or newer: set JAVA_HOME to one"
    ran = subprocess.run(
        [java, "-version"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=case.question.timeout,
        check=False,
    )
    version = re.search(r'version "((?:1\.)?(\d+)[^"]*)"', ran.stdout)
    if ran.returncode or version is None:
        first = (ran.stdout.strip().splitlines() or [f"exit status {ran.returncode}"])[0]
        return failed(f"{java} -version says {first!r}", remedy)
    found = f"Java {version[1]} ({java})"
    return ok(found) if int(version[2]) >= needed else failed(f"{found} is too old", remedy)


def oldest_java() -> int:
    """The oldest Java that can run this Spark: the one that its jars were compiled for."""
    for jar in sorted(Path(_spark_home(), "jars").glob("spark-launcher_*.jar")):
        with zipfile.ZipFile(jar) as archive:
            name = next(one for one in archive.namelist() if one.endswith(".class"))
            return int.from_bytes(archive.read(name)[6:8], "big") - CLASS_FILES
    return 17


def _spark_home() -> str:
    found = find_spec("pyspark")
    package = str(Path(found.origin).parent) if found is not None and found.origin else ""
    return os.environ.get("SPARK_HOME", package)
