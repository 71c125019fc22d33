"""``distkeras doctor``: the command line."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from typing import Any, TextIO

from distkeras.doctor.findings import Status
from distkeras.doctor.question import Question
from distkeras.doctor.table import diagnose
from distkeras.engines.jvm import setting

__all__ = ["add_doctor", "add_options", "report", "run_doctor"]


def add_doctor(commands: Any) -> None:
    """Adds ``doctor`` to the subcommands of a parser."""
    doctor = commands.add_parser("doctor", help="checks what a training needs, a line for each")
    doctor.add_argument("--master", help="of Spark: local[4], spark://host:7077, yarn")
    doctor.add_argument(
        "--conf", action="append", default=[], metavar="KEY=VALUE", help="a setting of Spark"
    )
    doctor.add_argument("--output", default="output", help="the folder of results")
    add_options(doctor)


def run_doctor(given: argparse.Namespace) -> int:
    """Does what the command line says; returns the exit status: 0 if nothing has failed, or 1."""
    settings = dict(map(setting, given.conf))
    if given.master:
        settings["spark.master"] = given.master
    asked = Question(settings, given.hdfs, given.output, given.timeout, given.room)
    return report(asked, sys.stdout)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that do not depend on where Spark's settings come from."""
    parser.add_argument("--hdfs", metavar="URL", help="a folder; a file is written and read there")
    parser.add_argument(
        "--timeout",
        type=float,
        default=Question.timeout,
        help="seconds for each check (%(default)g)",
    )
    parser.add_argument(
        "--room", type=float, default=Question.room, help="GiB that disks must have (%(default)g)"
    )


def report(question: Question, stream: TextIO) -> int:
    """Prints a line for each check as soon as it is known; returns the exit status."""
    status = 0
    with closing(diagnose(question)) as found:
        for name, finding in found:
            print(finding.line(name), file=stream, flush=True)
            status |= finding.status is Status.FAILED
    return int(status)
