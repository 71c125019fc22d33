"""A job's progress as a bar in a terminal or notebook, and as a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distkeras.history import Progress

__all__ = ["line_of", "progress_in", "watch"]

#: Seconds between two lines where there is no terminal.
LINE_SECONDS = 10.0


def watch(states: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Shows what a server tells of a job until it has ended; returns the last of it."""
    from rich.console import Console

    console = Console(stderr=True)
    return _bar(states, console) if console.is_terminal or console.is_jupyter else _lines(states)


def line_of(told: Mapping[str, Any]) -> str:
    """State, epoch, samples/s, loss and time left, as far as they are known."""
    known = progress_in(told)
    if known is None:
        return "cancelling" if told["cancelling"] else str(told["state"])
    from distkeras.progress_lines import describe

    now = told["progress"]
    epoch = f"epoch {now['epoch']}/{now['epochs']}, " if now["phase"] == "train" else ""
    return f"{epoch}{describe(known)}"


def progress_in(told: Mapping[str, Any]) -> Progress | None:
    """What a trainer's ``on_progress`` was told last; None where the job does not train."""
    now = told.get("progress")
    if told["state"] != "running" or not now:
        return None
    from distkeras.history import Progress

    return Progress(
        now["phase"],
        now["rows"],
        now["total"],
        _number(now["loss"]),
        now["samples_per_second"],
        _number(now["seconds_left"]),
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _bar(states: Iterable[Mapping[str, Any]], console: Any) -> Mapping[str, Any]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}"),
    )
    told: Mapping[str, Any] = {}
    with Progress(*columns, console=console) as bar:
        row = bar.add_task("", total=None, text="")
        for told in states:
            now = told.get("progress") or {}
            total = now.get("total") or None
            done = total if told["state"] == "succeeded" else now.get("rows", 0)
            text = line_of(told)
            bar.update(row, description=told["name"], completed=done, total=total, text=text)
    return told


def _lines(states: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    last, state = -LINE_SECONDS, None
    told: Mapping[str, Any] = {}
    for told in states:
        if told["state"] != state or time.monotonic() - last >= LINE_SECONDS:
            last, state = time.monotonic(), told["state"]
            print(f"{told['name']}: {line_of(told)}", file=sys.stderr, flush=True)
    return told
