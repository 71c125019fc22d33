"""The process that starts Spark for the doctor, who ends it when it takes too long.

It reads what it is asked, a line of JSON, and says what it found, step by step, in lines of JSON:
each has a "problem", with a "remedy", or what was asked for. It ends when its input does.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distkeras.conversation import Welcome
from distkeras.doctor import probe
from distkeras.engines.addresses import endpoint, runs_in_driver
from distkeras.engines.jvm import end_jvm, start_spark, use_python
from distkeras.engines.spark import slots_of
from distkeras.errors import DistkerasError
from distkeras.rules import downpour
from distkeras.server import ParameterServer
from distkeras.transport.place import Place
from distkeras.transport.tcp import TcpServer

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["main", "probed"]

#: Under those of the user.
SETTINGS = {
    "spark.app.name": "distkeras doctor",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
#: Of the seconds that the executors have: for them to register; and for one of them to reach the
#: driver, at most so many.
REGISTER, REACH_SECONDS = 0.6, 10.0
#: Seconds between two looks at how many executors there are, and without a new one until no more
#: are waited for.
POLL, QUIET = 0.25, 2.0
#: What Spark says where a task's Python does not run, and what to do.
REMEDIES = {
    r'Cannot run program "[^"]*"[^\n]*': "be a Python on every host",
    r"PYTHON_VERSION_MISMATCH\][^\n]*": "be of the driver's minor version",
    r"(?:ModuleNotFound|Import|PySparkImport)Error: [^\n]*": "have the packages",
}


@dataclass
class Reception(ParameterServer):
    """A parameter server that notes when who joined; nobody trains with it.

    Attributes:
        arrivals: seconds since 1970, by worker.
    """

    arrivals: dict[int, float] = field(default_factory=dict)

    def join(self, partition: int, attempt: int, rows: int) -> Welcome:
        """See ``ParameterServer.join``."""
        self.arrivals[partition] = time.time()
        return super().join(partition, attempt, rows)


def main() -> int:
    """Examines what standard input asks for; returns the exit status."""
    asked = json.loads(sys.stdin.readline())
    try:
        with _session(asked["settings"], Path(asked["log"])) as session:
            _examine(session, float(asked["seconds"]))
            sys.stdin.read()
    except DistkerasError as error:
        _say(problem=str(error))
        return 1
    return 0


@contextmanager
def _session(settings: Mapping[str, str], log: Path) -> Iterator[SparkSession]:
    use_python(settings)
    started = time.monotonic()
    session = start_spark(SETTINGS | dict(settings), log)
    with ExitStack() as undo:
        undo.callback(end_jvm)
        undo.callback(session.stop)
        _say(session=_about(session, time.monotonic() - started))
        yield session


def _about(session: SparkSession, seconds: float) -> dict[str, Any]:
    import pyspark

    system = session.sparkContext._jvm.java.lang.System  # type: ignore[union-attr]
    return {
        "version": session.version,
        "pyspark": pyspark.__version__,
        "master": session.conf.get("spark.master"),
        "java": system.getProperty("java.version"),
        "seconds": seconds,
    }


def _examine(session: SparkSession, seconds: float) -> None:
    at, server, token = endpoint(session.conf.get), _reception(), secrets.token_bytes(32)
    with TcpServer(server, token, Place(at.bind, at.port, at.retries)) as tcp:
        bound, port = tcp.address
        _say(endpoint={"host": at.host, "bound": bound, "port": port})
        told = {"token": token.hex(), "seconds": min(REACH_SECONDS, seconds / 3)}
        _say(**_executors(session, seconds, {**told, "host": at.host, "port": port}, server))


def _reception() -> Reception:
    return Reception(np.zeros(1, np.float32), downpour())


def _executors(
    session: SparkSession, seconds: float, told: Mapping[str, Any], server: Reception
) -> dict[str, Any]:
    slots = _await_slots(session, seconds * REGISTER)
    if not slots:
        return {"problem": f"no executor came within {seconds * REGISTER:.0f} s", "slots": 0}
    server.workers = slots
    try:
        found = probed(session, slots, told)
    except Exception as error:  # noqa: BLE001 - Spark's, py4j's: whatever it is, is the finding
        return _explained(error)
    return {"executors": [_timed(one, server.arrivals) for one in found]}


def _await_slots(session: SparkSession, seconds: float) -> int:
    """Task slots, when no more executors come; 0 if none has come in time."""
    if (session.conf.get("spark.dynamicAllocation.enabled", "") or "").lower() == "true":
        return max(1, slots_of(session))  # They come when there is a job.
    wanted = int(session.conf.get("spark.executor.instances", "0") or 0)
    deadline, known, since = time.monotonic() + seconds, 0, time.monotonic()
    while time.monotonic() < deadline:
        slots = slots_of(session)
        if slots != known:
            known, since = slots, time.monotonic()
        there = session.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1
        settled = time.monotonic() - since >= QUIET and not 0 <= there < wanted
        if known and (settled or runs_in_driver(session.sparkContext.master or "")):
            break
        time.sleep(POLL)
    return known


def probed(session: SparkSession, slots: int, told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What ``probe.probe`` finds in as many tasks as there are slots.

    Args:
        session: of Spark.
        slots: tasks that run at the same time.
        told: see ``probe.probe``.
    """
    from pyspark import cloudpickle

    # The executors may lack this library, or have another version of it.
    cloudpickle.register_pickle_by_value(probe)  # type: ignore[no-untyped-call]
    rows = session.range(slots, numPartitions=slots)
    java = rows.selectExpr("java_method('java.lang.System', 'getProperty', 'java.version') java")
    found = java.mapInArrow(partial(probe.probe, told=told), "found string").collect()
    return [json.loads(row.found) for row in found]


def _timed(found: dict[str, Any], arrivals: Mapping[int, float]) -> dict[str, Any]:
    """The executor's facts, with its clock beside the driver's."""
    at = found.pop("connection")
    if at.get("problem") or "worker" not in at:
        return {**found, "problem": at.get("problem", "")}
    middle, half = (at["asked"] + at["answered"]) / 2, (at["answered"] - at["asked"]) / 2
    return {**found, "skew": middle - arrivals[at["worker"]], "uncertainty": half}


def _explained(error: Exception) -> dict[str, Any]:
    text = str(error)
    for pattern, remedy in REMEDIES.items():
        if found := re.search(pattern, text):
            remedy = f"PYSPARK_PYTHON, of the executors, must {remedy} (docs/clusters.md)"
            return {"problem": found[0], "remedy": remedy}
    python = text.partition("\n\nJVM stacktrace:")[0].strip()
    return {"problem": python.splitlines()[-1] if python else repr(error)}


def _say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    sys.exit(main())
