"""The one Spark session of a luigi process: started when a task first needs it."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from multiprocessing import util
from pathlib import Path
from typing import TYPE_CHECKING

from distkeras.engines.addresses import endpoint
from distkeras.errors import EnvironmentProblem
from tasks.sections import spark_section
from tasks.spark_settings import spark_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["abandon_session", "spark_session", "stop_session"]

# How long the JVM may take to end before it is killed.
STOP_SECONDS = 20
# What a JVM says that starts well.
ROUTINE = re.compile(r"WARNING|Using |Setting |To adjust |\s|\d\d/\d\d/\d\d \S+ (INFO|WARN)")

# Luigi forks a process for every task when it has several workers: a session belongs to the
# process that started it, and must not be used by another one.
_sessions: dict[int, tuple[SparkSession, Path]] = {}


def spark_session() -> SparkSession:
    """The session of this process.

    Raises:
        EnvironmentProblem: there is no Java, or Spark does not start; one line says why.
    """
    process = os.getpid()
    if process not in _sessions:
        _prepare_environment()
        _sessions[process] = _start()
        # Processes that luigi forks leave through multiprocessing's own exit, not through atexit.
        atexit.register(stop_session)
        util.Finalize(None, stop_session, exitpriority=10)
        # A driver that workers cannot reach is told of before the first job, not in the last.
        endpoint(_sessions[process][0].conf.get)
    return _sessions[process][0]


def stop_session() -> None:
    """Stops this process's session, if there is one, and its JVM."""
    session, log = _sessions.pop(os.getpid(), (None, None))
    if session is not None and log is not None:
        session.stop()
        _end_jvm(log)


def abandon_session() -> None:
    """Ends this process's JVM, if there is one, without talking to it: it may be amid an answer."""
    _, log = _sessions.pop(os.getpid(), (None, None))
    if log is not None:
        _end_jvm(log)


def _end_jvm(log: Path) -> None:
    from pyspark import SparkContext

    process = SparkContext._gateway.proc  # type: ignore[union-attr]
    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
    process.stdin.close()  # the JVM ends, and cleans up, when its input does
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    log.unlink(missing_ok=True)


def _prepare_environment() -> None:
    java_home = os.environ.get("JAVA_HOME")
    java = str(Path(java_home, "bin", "java")) if java_home else "java"
    if shutil.which(java) is None:
        where = f"JAVA_HOME is {java_home}, without bin/java" if java_home else "not on the PATH"
        raise EnvironmentProblem(
            f"Java was not found ({where}): Spark needs Java 17 or newer, "
            "e.g. apt-get install openjdk-17-jre-headless"
        )
    # Workers on this machine must run the Python that has the packages. PySpark itself heeds
    # the setting only where spark-submit started it.
    if python := spark_settings(spark_section()).get("spark.pyspark.python"):
        os.environ["PYSPARK_PYTHON"] = python
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)


def _start() -> tuple[SparkSession, Path]:
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    conf = SparkConf(loadDefaults=False).setAll(list(spark_settings(spark_section()).items()))
    number, name = tempfile.mkstemp(prefix="distkeras-spark-", suffix=".log")
    # The JVM's talk, and that of the Python workers below it, goes to a file of its own.
    with os.fdopen(number, "wb") as log:
        try:
            gateway = launch_gateway(conf, {"stdout": log, "stderr": log})  # type: ignore[no-untyped-call]
            context = SparkContext(conf=conf, gateway=gateway)
        except (PySparkException, Py4JError, OSError) as error:
            raise EnvironmentProblem(_reason(error, Path(name))) from error
    # PySpark's handler talks to the JVM first, possibly in the middle of another call to it.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return SparkSession(context), Path(name)


def _reason(error: Exception, log: Path) -> str:
    text = log.read_text(errors="replace")
    if "UnsupportedClassVersionError" in text:
        return "Spark did not start: this Java is too old, Spark needs Java 17 or newer"
    told = [line for line in text.splitlines() if line.strip() and not ROUTINE.match(line)]
    first = (told or str(error).splitlines() or [type(error).__name__])[0].strip()
    return f"Spark did not start: {first} (its log: {log})"
