"""What Spark's part of the examination tells the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Executor", "Session"]


class Session(NamedTuple):
    """A Spark session that has started.

    Attributes:
        version: of the Spark that the JVM runs.
        pyspark: of the package.
        master: as Spark has it.
        java: the version that the driver's JVM runs on.
        seconds: that it took.
    """

    version: str
    pyspark: str
    master: str
    java: str
    seconds: float


class Executor(NamedTuple):
    """What one of the executors' task slots said.

    Attributes:
        host: its name.
        java: the version that its JVM runs on.
        python: version.
        executable: the Python's path.
        packages: versions by name.
        disks: see ``probe.disk``.
        skew: seconds that its clock is ahead of the driver's; None where it is not known.
        uncertainty: of that, either way.
        problem: why it has not reached the driver; empty where it has.
    """

    host: str
    java: str
    python: str
    executable: str
    packages: Mapping[str, str]
    disks: tuple[Mapping[str, Any], ...]
    skew: float | None = None
    uncertainty: float = 0.0
    problem: str = ""
