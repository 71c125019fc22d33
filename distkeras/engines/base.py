"""What every engine can do: run workers on rows that it knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from distkeras import errors
from distkeras.conversation import Failure
from distkeras.engines.summary import Summary
from distkeras.engines.task import Job
from distkeras.errors import DistkerasError, TrainingError, WorkerFailed
from distkeras.server import ParameterServer

__all__ = ["Deal", "Engine", "raise_final", "worker_failed"]

#: What a worker reports with these ends the training at once: a retry would fail the same way.
_FINAL = (
    "CallbackFailed",
    "ConfigError",
    "DataError",
    "EnvironmentProblem",
    "RoundTimeout",
    "TrainingDiverged",
)


class Deal(NamedTuple):
    """How the rows are dealt out.

    Attributes:
        partitions: shares of the rows, each with a worker's state of its own.
        at_once: of them that are trained at the same time, where the engine has a say in it.
        shuffle_seed: from which it is drawn who gets which row; None: in turn.
    """

    partitions: int
    at_once: int
    shuffle_seed: int | None = None


class Engine(Protocol):
    """Where the workers of one training run, and the rows that they train on."""

    def summary(self) -> Summary:
        """What the rows are like; looks at each of them once.

        Raises:
            DataError: for rows that cannot be trained on.
        """

    def check_slots(self, workers: int) -> None:
        """Refuses more workers than can run at the same time.

        Raises:
            ConfigError: names both numbers.
        """

    def gather(self, rows: Any) -> pa.Table:
        """Other rows with the same columns, under their fixed names, on the driver."""

    def run(self, job: Job, deal: Deal, server: ParameterServer, watch: Callable[[], None]) -> None:
        """Runs the workers, and returns when all have trained their rows or were stopped.

        Args:
            job: what they do; where the server is and the token are set here.
            deal: who gets which rows.
            server: the center.
            watch: called now and then while they train.

        Raises:
            DistkerasError: what a worker raised, if a retry would raise it again.
            WorkerFailed: if a worker failed for another reason, again and again.
        """


def raise_final(failures: list[Failure]) -> None:
    """Raises what a worker reported, if a retry would fail in the same way."""
    for failure in failures:
        if failure.error in _FINAL:
            kind: type[DistkerasError] = getattr(errors, failure.error)
            raise kind(failure.message) from TrainingError(f"on worker:\n{failure.details}")


def worker_failed(failure: Failure) -> WorkerFailed:
    """A worker's own words, as an exception."""
    raised = WorkerFailed(f"worker {failure.partition} failed: {failure.error}: {failure.message}")
    raised.__cause__ = TrainingError(f"on worker {failure.partition}:\n{failure.details}")
    return raised
