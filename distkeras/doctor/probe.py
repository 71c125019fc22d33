"""What runs on the executors: looks at the Python that a worker would have, and around it.

Spark ships the functions of this module as they are, because an executor that lacks this library
must be able to say so: only the standard library is imported before something is looked at.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module, metadata, resources
from typing import Any

__all__ = ["disk", "look_around", "package_versions", "probe"]

#: What must be the same wherever a training runs. The same TensorFlow comes under two names.
PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "pyarrow")


def probe(batches: Iterator[Any], told: Mapping[str, Any]) -> Iterator[Any]:
    """The Spark task: for each row, with its JVM's Java version, what is there, as JSON.

    Args:
        batches: Arrow batches with the column "java".
        told: "host" and "port" of the driver, the "token", and "seconds" to reach it.
    """
    import pyarrow as pa

    for batch in batches:
        for java in batch.column("java").to_pylist():
            found = {"java": java, **look_around(), "connection": connection(told)}
            yield pa.RecordBatch.from_pydict({"found": [json.dumps(found)]})


def look_around() -> dict[str, Any]:
    """This host, its Python, the packages and the disks."""
    folders = [*os.environ.get("SPARK_LOCAL_DIRS", "").split(","), tempfile.gettempdir()]
    return {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "packages": package_versions(),
        "disks": [disk(folder) for folder in dict.fromkeys(folders) if folder],
    }


def package_versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Versions by package, without the heavy imports; those that are not there are left out.

    pyspark's is that of its code, and distkeras' a digest of its code: either may have come
    without the metadata of an installation.
    """
    found: dict[str, str] = {}
    for package in packages:
        try:
            found.setdefault(package.removesuffix("-cpu"), metadata.version(package))
        except metadata.PackageNotFoundError:
            continue
    with suppress(ImportError):
        found["pyspark"] = str(import_module("pyspark").__version__)
    with suppress(ImportError):
        found["distkeras"] = _digest(resources.files("distkeras"))
    return found


def disk(folder: str) -> dict[str, Any]:
    """What a folder's disk has: its "folder", "device", "free" bytes, and the "problem", if any."""
    found: dict[str, Any] = {"folder": folder, "device": 0, "free": 0, "problem": ""}
    try:
        found["device"] = os.stat(folder).st_dev
        found["free"] = shutil.disk_usage(folder).free
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as problem:
        found["problem"] = problem.strerror or str(problem)
    return found


def connection(told: Mapping[str, Any]) -> dict[str, Any]:
    """How the driver was reached, as a worker would: "asked" and "answered", or a "problem"."""
    try:
        return _join(told)
    except ImportError:
        problem = _plain_connection(told)
    except Exception as error:  # noqa: BLE001 - whatever it is, the driver is to know of it
        problem = f"{type(error).__name__}: {error}"
    return {"problem": problem}


def _join(told: Mapping[str, Any]) -> dict[str, Any]:
    from pyspark import TaskContext

    from distkeras.transport.client import TcpChannel

    context = TaskContext.get()
    who = (context.partitionId(), context.taskAttemptId()) if context else (0, 0)
    address = told["host"], told["port"]
    with TcpChannel(address, bytes.fromhex(told["token"]), 1, told["seconds"]) as channel:
        channel.join(*who, rows=1)
        asked = time.time()
        channel.join(*who, rows=1)  # This one need not connect: it times the two clocks.
        answered = time.time()
        channel.leave(*who, wait=0.0)
    return {"worker": who[0], "asked": asked, "answered": answered}


def _plain_connection(told: Mapping[str, Any]) -> str:
    """What happens without the library: at least whether the port can be reached."""
    try:
        socket.create_connection((told["host"], told["port"]), told["seconds"]).close()
    except OSError as problem:
        return f"{told['host']}:{told['port']}: {problem.strerror or problem}"
    return ""


def _digest(folder: Any) -> str:
    """Eight hexadecimal digits of all Python files below a folder, in a directory or an archive."""
    found = hashlib.sha256()
    for name, content in _sources(folder, ""):
        found.update(f"{name}:{len(content)}\n".encode() + content)
    return found.hexdigest()[:8]


def _sources(folder: Any, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda one: str(one.name)):
        if entry.is_dir():
            yield from _sources(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".py"):
            yield prefix + entry.name, entry.read_bytes()
