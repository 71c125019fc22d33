"""Spark's JVM beside the driver: which Java it runs on, how it starts, why it does not, its end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from distkeras.errors import ConfigError, EnvironmentProblem

if TYPE_CHECKING:
    from py4j.java_gateway import JavaGateway
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

__all__ = ["end_jvm", "java_command", "setting", "start_spark", "use_python"]

#: Seconds that the JVM may take to end before it is killed.
STOP_SECONDS = 20
#: How Java tells of an exception, above its stack.
EXCEPTION = re.compile(r"(?:[a-z]\w*\.)+(\w*(?:Exception|Error)(?:\S*: .+)?)$")
#: A race of Spark with itself: it puts together its page while YARN's application master has it
#: put a filter before each part of it. A slow machine loses it now and then.
RACE = "java.util.ConcurrentModificationException"
#: Settings whose values Spark hides from its own page and logs, by its own default rule.
SECRET = re.compile(r"secret|password|token|access[.]?key", re.IGNORECASE)
#: How often a context is made, where it loses that race.
ATTEMPTS = 3
#: What a JVM says that starts well.
ROUTINE = re.compile(r"WARNING|Using |Setting |To adjust |\s|\d\d/\d\d/\d\d \S+ (INFO|WARN)")


def java_command() -> str:
    """The Java that Spark will run on.

    Raises:
        EnvironmentProblem: there is none.
    """
    java_home = os.environ.get("JAVA_HOME")
    java = str(Path(java_home, "bin", "java")) if java_home else "java"
    if shutil.which(java) is None:
        where = f"JAVA_HOME is {java_home}, without bin/java" if java_home else "not on the PATH"
        raise EnvironmentProblem(
            f"Java was not found ({where}): Spark needs Java 17 or newer, "
            "e.g. apt-get install openjdk-17-jre-headless"
        )
    return java


def setting(text: str) -> tuple[str, str]:
    """A setting of Spark as command lines have it: ``KEY=VALUE``.

    Raises:
        ConfigError: it is none.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--conf {text}: write KEY=VALUE")
    return key.strip(), value.strip()


def use_python(settings: Mapping[str, str]) -> None:
    """Has workers run the Python that the settings name, or else that of this process.

    PySpark itself heeds the setting only where spark-submit started it.
    """
    if python := settings.get("spark.pyspark.python"):
        os.environ["PYSPARK_PYTHON"] = python
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)


def start_spark(settings: Mapping[str, str], log: Path) -> SparkSession:
    """Starts a JVM and a session in it.

    Args:
        settings: of Spark.
        log: takes what the JVM, and the Python workers below it, say.

    Raises:
        EnvironmentProblem: it does not start; one line says why.
    """
    from py4j.protocol import Py4JError
    from pyspark import SparkConf
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    # What the JVM is started with, everybody on this machine can read in its arguments.
    public = {key: value for key, value in settings.items() if not SECRET.search(key)}
    conf, first = (SparkConf(loadDefaults=False).setAll([*s.items()]) for s in (settings, public))
    with log.open("wb") as file:
        try:
            gateway = launch_gateway(first, {"stdout": file, "stderr": file})  # type: ignore[no-untyped-call]
            context = _context(conf, gateway)
        except (PySparkException, Py4JError, OSError) as error:
            raise EnvironmentProblem(_reason(error, log)) from error
    return SparkSession(context)


def _context(conf: SparkConf, gateway: JavaGateway) -> SparkContext:
    from py4j.protocol import Py4JJavaError
    from pyspark import SparkContext

    for _ in range(ATTEMPTS - 1):
        try:
            return SparkContext(conf=conf, gateway=gateway)
        except Py4JJavaError as error:
            if error.java_exception.getClass().getName() != RACE:
                raise
    return SparkContext(conf=conf, gateway=gateway)


def end_jvm() -> None:
    """Ends this process's JVM, whatever it is doing."""
    from pyspark import SparkContext

    gateway: JavaGateway = SparkContext._gateway
    process = gateway.proc
    # Objects of the JVM that Python collects from now on are gone without it: Py4J would tell it of
    # each, and log a traceback when nobody answers.
    gateway._gateway_client.is_connected = False
    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
    process.stdin.close()  # the JVM ends, and cleans up, when its input does
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _reason(error: Exception, log: Path) -> str:
    text = log.read_text(errors="replace")
    if "UnsupportedClassVersionError" in text:
        return "Spark did not start: this Java is too old, Spark needs Java 17 or newer"
    told = [line for line in text.splitlines() if line.strip() and not ROUTINE.match(line)]
    causes = [found[1] for line in told if (found := EXCEPTION.match(line))]
    first = (causes or told or str(error).splitlines() or [type(error).__name__])[0].strip()
    return f"Spark did not start: {first}"
