"""The result of a finished experiment, as tables in a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from distkeras.errors import StorageError
from distkeras.storage import read_json
from tasks.base import ExperimentTask
from tasks.evaluate import Evaluate
from tasks.target import MANIFEST

__all__ = ["show"]

# Results of more than one number are in metrics.json and report.html.
HEADLINES = ("accuracy", "loss", "roc_auc", "log_loss", "rmse", "mae", "r2")
# Shorter phases are not worth a line.
SHOWN_SECONDS = 0.05


def show(config: str, overrides: Sequence[str], console: Console) -> None:
    """Prints the measures of a finished experiment and where its time went.

    Args:
        config: the experiment's TOML file.
        overrides: as ``--set`` has them.
        console: where to.

    Raises:
        StorageError: the experiment has not been run to its end.
    """
    evaluate = Evaluate(config=config, set=tuple(overrides))
    chain = [*evaluate.requires().values(), evaluate]
    for task in chain:
        if not task.complete():
            command = ["luigi", "--module", "tasks", "Evaluate", "--config", config]
            command += [word for override in overrides for word in ("--set", override)]
            raise StorageError(f"{task.output()}: not there yet: run {shlex.join(command)}")
    manifests = {task.task_family: read_json(f"{task.output()}/{MANIFEST}") for task in chain}
    console.print(_results(read_json(f"{evaluate.output()}/metrics.json")))
    console.print(_durations(manifests))
    for task in chain:
        console.print(f"{task.task_family:<10} {task.output()}", highlight=False, soft_wrap=True)
    console.print(f"{'Report':<10} {_report(evaluate)}", highlight=False, soft_wrap=True)


def _report(evaluate: ExperimentTask) -> str:
    return f"{evaluate.output()}/report.html"


def _results(metrics: Mapping[str, Any]) -> Table:
    table = Table(title="Test split", title_justify="left")
    table.add_column("measure")
    table.add_column("value", justify="right")
    for name in HEADLINES:
        if isinstance(metrics.get(name), int | float):
            table.add_row(name, f"{metrics[name]:.4f}")
    if "rows" in metrics:
        table.add_row("rows", f"{metrics['rows']:,}")
    return table


def _durations(manifests: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(title="Where the time went", title_justify="left")
    table.add_column("task")
    table.add_column("phase")
    table.add_column("seconds", justify="right")
    everything = 0.0
    for name, manifest in manifests.items():
        total = float(manifest["task"]["seconds"])
        everything += total
        for phase, seconds in _phases(manifest["task"], total):
            table.add_row(name, phase, f"{seconds:.1f}")
        table.add_row(name, "all", f"{total:.1f}", style="bold", end_section=True)
    table.add_row("all", "", f"{everything:.1f}", style="bold")
    return table


def _phases(task: Mapping[str, Any], total: float) -> Iterator[tuple[str, float]]:
    timed = [(name, float(seconds)) for name, seconds in task["phases"].items()]
    shown = [(name, seconds) for name, seconds in timed if seconds >= SHOWN_SECONDS]
    yield from shown
    if (rest := total - sum(seconds for _, seconds in shown)) >= SHOWN_SECONDS:
        yield "other", rest
