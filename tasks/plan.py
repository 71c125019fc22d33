"""Every step that an experiment, its variants and its trials have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tasks.base import ExperimentTask
from tasks.compare import Compare
from tasks.evaluate import Evaluate
from tasks.sweep.sweep import Sweep
from tasks.variants import table_variants

__all__ = ["Step", "steps"]


@dataclass(frozen=True)
class Step:
    """One task.

    Attributes:
        task: what would run.
        variants: the names of those that need it; empty for what only the config as it is needs.
    """

    task: ExperimentTask
    variants: list[str] = field(default_factory=list)


def steps(config: str, overrides: Sequence[str], set_list: Sequence[str] = ()) -> list[Step]:
    """The tasks of an experiment, each once, those that others need before them.

    Args:
        config: the experiment's TOML file.
        overrides: as ``--set`` has them.
        set_list: as ``--set-list`` has them, in place of the file's variants.

    Raises:
        DistkerasError: the experiment or a variant is wrong.
    """
    found: dict[ExperimentTask, Step] = {}
    alone = Evaluate(config=config, set=tuple(overrides))
    for task in dict.fromkeys(_chain(alone)):
        found[task] = Step(task)
    if set_list or table_variants(alone.experiment.compare):
        compare = Compare(config=config, set=tuple(overrides), set_list=tuple(set_list))
        for name, evaluation in compare.evaluations.items():
            for task in dict.fromkeys(_chain(evaluation)):
                found.setdefault(task, Step(task)).variants.append(name)
        found[compare] = Step(compare)
    if alone.experiment.sweep is not None:
        sweep = Sweep(config=config, set=tuple(overrides))
        for name, task in _trials(sweep):
            found.setdefault(task, Step(task)).variants.append(name)
        found[sweep] = Step(sweep)
    return list(found.values())


def _trials(sweep: Sweep) -> Iterator[tuple[str, ExperimentTask]]:
    """The tasks of the trials that are there, and of the first that is not.

    What is drawn after that depends on what becomes of it.
    """
    missing = False
    for one in sweep.tried():
        if one.task is None or (missing and one.outcome is None):
            continue
        missing = missing or one.outcome is None
        stopped = one.outcome is not None and one.outcome.stopped is not None
        task = one.task if stopped else one.task.evaluation
        for each in dict.fromkeys(_chain(task)):
            yield f"trial {one.drawn.number}", each


def _chain(task: ExperimentTask) -> Iterator[ExperimentTask]:
    for before in task.requires().values():
        yield from _chain(before)
    yield task
