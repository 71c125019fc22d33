"""Spark: a session starts, something listens where workers connect to, and executors come."""

from __future__ import annotations

import re
import socket
from collections import Counter

from distkeras.doctor.case import Case
from distkeras.doctor.facts import Executor, Session
from distkeras.doctor.findings import Finding, failed, ok, skipped

__all__ = ["check_address", "check_executors", "check_spark"]

#: Seconds to reach a standalone Master, at most.
REACH_SECONDS = 10.0
#: What to do where no executor comes.
NO_EXECUTOR = (
    "the cluster needs free cores and memory for one, and its hosts must reach "
    "spark.driver.host:spark.driver.port (docs/clusters.md)"
)


def check_spark(case: Case) -> Finding:
    """Starts a session, and compares the two halves of Spark."""
    master = case.question.settings.get("spark.master", "")
    if unreachable := _unreachable(master, min(REACH_SECONDS, case.question.timeout)):
        return failed(unreachable, "is the Master up, and is spark.master its address?")
    case.spark.start()
    if (said := case.spark.hear()) is None:
        late = f"no answer from {master or 'Spark'} within {case.question.timeout:g} s"
        return failed(late, "can this host and Spark's reach each other?")
    if "problem" in said:
        return failed(said["problem"])
    case.session = found = Session(**said["session"])
    text = f"Spark {found.version}, {found.master}, started in {found.seconds:.1f} s"
    if found.version != found.pyspark:
        remedy = "unset SPARK_HOME, or install the pyspark of its version"
        return failed(f"{text}, but pyspark is {found.pyspark}", remedy)
    return ok(text)


def check_address(case: Case) -> Finding:
    """A listener, bound where the parameter server would be."""
    if case.session is None:
        return skipped("Spark did not start")
    if (said := case.spark.hear()) is None:
        return failed(f"nothing listens yet after {case.question.timeout:g} s")
    if "problem" in said:
        return failed(said["problem"])
    at = said["endpoint"]
    case.address = at["host"], at["port"]
    return ok(f"workers connect to {at['host']}:{at['port']}, bound to {at['bound']}")


def check_executors(case: Case) -> Finding:
    """A task in each of the slots says what is there."""
    if case.address is None:
        return skipped("no address to tell them")
    if (said := case.spark.hear()) is None:
        late = f"no answer from the executors within {case.question.timeout:g} s"
        return failed(late, NO_EXECUTOR)
    if "problem" in said:
        return failed(said["problem"], said.get("remedy", NO_EXECUTOR))
    case.executors = tuple(Executor(**one) for one in said["executors"])
    hosts = Counter(one.host for one in case.executors)
    places = ", ".join(f"{host} ({count})" for host, count in sorted(hosts.items()))
    return ok(f"{len(case.executors)} task slots: {places}")


def _unreachable(master: str, seconds: float) -> str:
    """Why no standalone Master of these can be connected to; empty where one can."""
    addresses = re.findall(r"([^/,]+):(\d+)", master) if master.startswith("spark://") else []
    told = ""
    for host, port in addresses:
        try:
            socket.create_connection(
                (host.strip("[]"), int(port)), seconds / len(addresses)
            ).close()
        except OSError as problem:
            told = f"{master} cannot be reached: {host}:{port}: {problem.strerror or problem}"
        else:
            return ""
    return told
