"""The doctor of the library, asked with luigi's settings of Spark and HDFS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from distkeras.doctor.command import report
from distkeras.doctor.question import Question
from distkeras.storage import RemotePath, locate
from tasks.config import load_experiment
from tasks.settings.sections import apply_sections, spark_section
from tasks.settings.spark import spark_settings

__all__ = ["doctor"]


def doctor(
    config: str | None,
    overrides: Sequence[str],
    stream: TextIO,
    *,
    hdfs: str | None = None,
    timeout: float = Question.timeout,
    room: float = Question.room,
) -> int:
    """Prints what the doctor finds where an experiment would run.

    Args:
        config: the experiment's TOML file, for where its results go; None: the folder output.
        overrides: as ``--set`` has them.
        stream: where to.
        hdfs: see ``Question``; None: the folder of results, if that is on HDFS.
        timeout: likewise.
        room: likewise.

    Returns:
        The exit status: 0 if nothing has failed, or 1.

    Raises:
        ConfigError: the experiment, or a section of luigi's configuration, is wrong.
    """
    apply_sections()
    output = load_experiment(config, overrides).output if config else Question.output
    if hdfs is None and isinstance(locate(output), RemotePath):
        hdfs = output
    settings = spark_settings(spark_section())
    return report(Question(settings, hdfs, output, timeout, room), stream)
