"""What tasks share that run variants of an experiment and report on those that are there."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from distkeras.errors import ConfigError, DistkerasError, TrainingError
from distkeras.storage import Place, files_of, locate, publish, read_json
from tasks.base import ExperimentTask, interrupted
from tasks.evaluate import Evaluate
from tasks.target import MANIFEST

if TYPE_CHECKING:
    from distkeras.report import Competitor

__all__ = ["ReportingTask", "competitor", "varied"]


class ReportingTask(ExperimentTask):
    """Runs others, then writes a report of them.

    They are no requirements, because luigi would not run this task if one of them failed. With a
    failed one it writes what it can into ``<key>.partial/``, fails, and tries again the next time.
    """

    #: What it runs, for people.
    parts_name: ClassVar[str]

    @abstractmethod
    def run_others(self) -> Mapping[str, str]:
        """Runs them; why those failed that did, by name, in one line each."""

    @abstractmethod
    def write(self, staging: Place, failures: Mapping[str, str]) -> None:
        """Writes ``report.html`` and ``report.json`` into a directory.

        Args:
            staging: an empty directory.
            failures: as ``run_others`` has them.
        """

    def run(self) -> None:
        """Runs the others, then reports."""
        try:
            failures = self.run_others()
        except KeyboardInterrupt:
            interrupted(self.task_family)
        if failures:
            self._report_partly(failures)
        super().run()
        files_of(self.partial).discard(str(self.partial))
        print(f"{self.task_family}: {self.output().place / 'report.html'}", file=sys.stderr)

    @property
    def partial(self) -> Place:
        """Where the report is while something has failed."""
        return locate(f"{self.output().url}.partial")

    @property
    @abstractmethod
    def number(self) -> int:
        """How many others there are."""

    def _report_partly(self, failures: Mapping[str, str]) -> None:
        """Writes the report of those that are there.

        Raises:
            TrainingError: always, with what failed.
        """
        files_of(self.partial).discard(str(self.partial))
        with publish(self.partial) as staging:
            self.write(staging, failures)
        whose = "; ".join(f"{name}: {why}" for name, why in failures.items())
        raise TrainingError(
            f"{len(failures)} of {self.number} {self.parts_name} failed: {whose}; "
            f"the report: {self.partial / 'report.html'}"
        )


def varied(task: ExperimentTask, overrides: Sequence[str], whose: str) -> Evaluate:
    """The Evaluate task of a variant.

    Args:
        task: of the experiment as it is.
        overrides: what the variant changes.
        whose: the variant, for people.

    Raises:
        DistkerasError: the variant is wrong; the message begins with whose it is.
    """
    for override in overrides:
        if override.partition("=")[0].strip().split(".")[0] in ("output", "compare", "sweep"):
            raise ConfigError(f"{whose}: {override}: cannot vary")
    try:
        return Evaluate(config=task.config, set=(*task.set, *overrides))
    except DistkerasError as error:
        said = str(error).removeprefix(f"{task.config}: ").removeprefix("--set ")
        raise type(error)(f"{whose}: {said}") from error


def competitor(name: str, overrides: Sequence[str], evaluate: Evaluate) -> Competitor:
    """What a report says of a variant that is there."""
    from distkeras.history import read_history
    from distkeras.report import Competitor

    trained = evaluate.training.output().place
    return Competitor(
        name,
        overrides,
        metrics=read_json(evaluate.output().place / "metrics.json"),
        history=read_history(trained / "history.parquet"),
        trained=read_json(trained / MANIFEST),
        # The same wherever the whole of the output is moved to.
        report=f"../../{evaluate.task_family}/{evaluate.key}/report.html",
    )
