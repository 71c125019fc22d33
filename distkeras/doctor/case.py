"""What the checks know of each other."""

from __future__ import annotations

from dataclasses import dataclass

from distkeras.doctor.facts import Executor, Session
from distkeras.doctor.question import Question
from distkeras.doctor.spark_process import SparkProcess

__all__ = ["Case"]


@dataclass
class Case:
    """What is examined, and what was found so far.

    Attributes:
        question: what is asked.
        spark: the process that Spark is in.
        session: None until one has started.
        address: (host, port) that workers are told; None until something listens there.
        executors: what the executors said; None until they have.
    """

    question: Question
    spark: SparkProcess
    session: Session | None = None
    address: tuple[str, int] | None = None
    executors: tuple[Executor, ...] | None = None
