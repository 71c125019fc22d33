"""The one Spark session of a luigi process: started when a task first needs it."""

from __future__ import annotations

import atexit
import os
import signal
import tempfile
import threading
from multiprocessing import util
from pathlib import Path
from typing import TYPE_CHECKING

from distkeras.engines.addresses import endpoint
from distkeras.engines.jvm import (
    end_jvm,
    java_command,
    jvm_status,
    start_spark,
    use_python,
)
from distkeras.errors import EnvironmentProblem
from tasks.settings.sections import spark_section
from tasks.settings.spark import spark_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["abandon_session", "lost_session", "spark_session", "stop_session"]

#: How long a JVM that does not answer any more may take to have ended.
ENDING_SECONDS = 0.5

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
        _end(log)


def abandon_session() -> None:
    """Ends this process's JVM, if there is one, without talking to it: it may be amid an answer."""
    _, log = _sessions.pop(os.getpid(), (None, None))
    if log is not None:
        _end(log)


def lost_session() -> EnvironmentProblem | None:
    """What there is to say where this process's JVM has ended by itself, or was killed; else None.

    The next task starts another.
    """
    process = os.getpid()
    if process not in _sessions or (status := jvm_status(ENDING_SECONDS)) is None:
        return None
    log = _sessions.pop(process)[1]
    end_jvm()
    how = f"was killed ({signal.Signals(-status).name})" if status < 0 else f"ended ({status})"
    return EnvironmentProblem(
        f"Spark's JVM {how}; a system short of memory kills it: see spark.driver_memory, "
        f"and the JVM's log: {log}"
    )


def _start() -> tuple[SparkSession, Path]:
    java_command()
    settings = spark_settings(spark_section())
    use_python(settings)
    number, name = tempfile.mkstemp(prefix="distkeras-spark-", suffix=".log")
    os.close(number)
    try:
        session = start_spark(settings, Path(name))
    except EnvironmentProblem as error:
        raise EnvironmentProblem(f"{error} (its log: {name})") from error
    # PySpark's handler talks to the JVM first, possibly in the middle of another call to it.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return session, Path(name)


def _end(log: Path) -> None:
    end_jvm()
    log.unlink(missing_ok=True)
