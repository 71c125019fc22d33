"""What of an experiment is complete, what would run, and why."""

from __future__ import annotations

import luigi

from distkeras.storage import exists
from tasks.base import ExperimentTask
from tasks.lineage import reason
from tasks.parameters import RepeatedParameter
from tasks.plan import Step, steps
from tasks.settings.sections import apply_sections

__all__ = ["Status"]


class Status(luigi.Task):  # type: ignore[misc]
    """Prints a line for each task of an experiment and its variants; changes nothing.

    Raises:
        DistkerasError: one line that names the file, key, or path.
    """

    config = luigi.Parameter(description="The experiment's TOML file.")
    set = RepeatedParameter(default=(), description="As for Evaluate; may be repeated.")
    set_list = RepeatedParameter(default=(), description="As for Compare; may be repeated.")

    def complete(self) -> bool:
        """Never: it has no result."""
        return False

    def run(self) -> None:
        """Prints."""
        apply_sections()
        found = steps(self.config, self.set, self.set_list)
        done = [step.task.complete() for step in found]
        for step, complete in zip(found, done, strict=True):
            print(_line(step, complete))
        if all(done):
            print("Everything is there.")
        else:
            print(f"{len(done) - sum(done)} of {len(done)} would run.")


def _line(step: Step, complete: bool) -> str:
    task = step.task
    start = f"{'complete' if complete else 'would run':<10}{task.task_family:<11}{task.output()}"
    whose = f"  [{'; '.join(step.variants)}]" if step.variants else ""
    return f"{start}{whose}" if complete else f"{start}{whose}: {_why(task)}"


def _why(task: ExperimentTask) -> str:
    place = task.output().place
    halfway = exists(place.with_name(f".{place.name}.checkpoints"))
    return reason(task) + ("; goes on from a checkpoint" if halfway else "")
