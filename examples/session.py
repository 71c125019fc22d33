"""The Spark session of the examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distkeras.engines.jvm import java_command, use_python

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def spark_session(name: str, master: str | None) -> SparkSession:
    """A session, or the one that there is; it ends with the process.

    Args:
        name: of the application.
        master: of Spark; None for that of spark-submit, or else this machine with all its cores.

    Raises:
        EnvironmentProblem: there is no Java.
    """
    java_command()
    # Workers need the packages of this environment.
    use_python({})
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(name)
    builder = builder.config("spark.log.level", "ERROR")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    return (builder.master(master) if master else builder).getOrCreate()
