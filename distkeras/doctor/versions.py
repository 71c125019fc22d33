"""Python and packages: there, and the same on the driver and on the executors."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping

from distkeras.doctor.case import Case
from distkeras.doctor.facts import Executor
from distkeras.doctor.findings import Finding, failed, ok, skipped, warning, worst
from distkeras.doctor.probe import package_versions

__all__ = ["check_java_there", "check_packages", "check_python"]

#: The oldest Python that this library runs on.
OLDEST = (3, 10)
#: What a training needs, and what it is worth when it differs: its code must be the same.
NEEDED = ("distkeras", "pyspark", "tensorflow", "keras", "numpy", "pyarrow")
EXACT = ("distkeras", "pyspark")


def check_python(case: Case) -> Finding:
    """The minor versions must be equal: Spark ships functions as bytecode."""
    here = platform.python_version()
    if sys.version_info[:2] < OLDEST:
        return failed(f"Python {here} on the driver", "Python 3.10 or newer is needed")
    found = f"Python {here} on the driver ({sys.executable})"
    if case.executors is None:
        return skipped(f"{found}; the executors did not answer")
    others = _others(case.executors, lambda one: one.python, here)
    if not others:
        return ok(f"{found} and on the executors ({_executables(case.executors)})")
    text, remedy = f"{found}, but {_told(others)}", "set PYSPARK_PYTHON to the same Python"
    same = all(_minor(version) == _minor(here) for version in others)
    return warning(text, remedy) if same else failed(text, remedy)


def check_packages(case: Case) -> Finding:
    """Those that a training needs, each where it is needed."""
    here = package_versions()
    if missing := [name for name in NEEDED if name not in here]:
        return failed(f"not on the driver: {', '.join(missing)}", f"pip install {missing[0]}")
    listed = ", ".join(f"{name} {here[name]}" for name in NEEDED)
    if case.executors is None:
        return skipped(f"on the driver: {listed}; the executors did not answer")
    findings = [_compared(name, here[name], case.executors) for name in NEEDED]
    found = worst([finding for finding in findings if finding is not None] or [ok("")])
    return found if found.found else ok(f"{listed}, the same on the executors")


def check_java_there(case: Case) -> Finding:
    """The driver's and the executors' JVMs."""
    if case.session is None or case.executors is None:
        return skipped("the executors did not answer")
    here = case.session.java
    others = _others(case.executors, lambda one: one.java, here)
    if not others:
        return ok(f"Java {here} on the executors, too")
    text = f"Java {here} on the driver, but {_told(others)}"
    same = all(version.split(".")[0] == here.split(".")[0] for version in others)
    return ok(text) if same else warning(text, "set JAVA_HOME to the same Java on every host")


def _compared(name: str, here: str, executors: tuple[Executor, ...]) -> Finding | None:
    """What is to be said of a package; nothing where it is the same everywhere."""
    others = _others(executors, lambda one: one.packages.get(name, "missing"), here)
    if not others:
        return None
    text = f"{name} {here} on the driver, but {_told(others)}"
    remedy = "give executors the driver's packages (docs/clusters.md, make package)"
    alike = name not in EXACT and all(_minor(version) == _minor(here) for version in others)
    return warning(text, remedy) if alike else failed(text, remedy)


def _others(
    executors: tuple[Executor, ...], of: Callable[[Executor], str], here: str
) -> dict[str, set[str]]:
    """The hosts that have another version, by it."""
    found: dict[str, set[str]] = {}
    for one in executors:
        if of(one) != here:
            found.setdefault(of(one), set()).add(one.host)
    return found


def _told(others: Mapping[str, set[str]]) -> str:
    return ", ".join(f"{version} on {' '.join(sorted(others[version]))}" for version in others)


def _minor(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2])


def _executables(executors: tuple[Executor, ...]) -> str:
    found = ", ".join(sorted({one.executable for one in executors}))
    if "PYSPARK_PYTHON" in os.environ:
        return found
    # Luigi's tasks choose this process's Python, as the doctor did; a user's program does not.
    return f"{found}; set PYSPARK_PYTHON in a program of your own"
