"""Makes an archive of the Java classes that the tests' Sparks load: each starts in half the time.

A Java virtual machine that is given it (``-XX:SharedArchiveFile``) need not read, verify and link
some twenty thousand classes again. One that cannot use it, such as another version, does without.

    python -m tests.spark_archive .venv/spark.jsa
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import luigi

from distkeras.engines import jvm
from tasks.session import stop_session
from tests.tasks.workspace import Workspace

#: Seconds that Java may take to write it.
PATIENCE = 300


def make(archive: Path) -> None:
    """Runs the small pipeline in a Java that writes down, as it ends, what it has loaded."""
    begun = archive.with_suffix(".begun")
    others = os.environ.get("SPARK_SUBMIT_OPTS", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1")
    os.environ["SPARK_SUBMIT_OPTS"] = f"{others} -XX:ArchiveClassesAtExit={begun}"
    jvm.STOP_SECONDS = PATIENCE
    with tempfile.TemporaryDirectory() as folder:
        Workspace.create(Path(folder))
        os.chdir(folder)
        done = luigi.run(["Evaluate", "--module", "tasks", "--config", "config.toml"])
        stop_session()
        os.chdir("/")
    if done and begun.exists():
        begun.replace(archive)
    else:
        print("no archive of Spark's classes was made: the tests take longer")


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve())
