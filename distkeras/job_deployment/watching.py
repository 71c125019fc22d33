"""A job's progress as a bar in a terminal or notebook, and as a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from distkeras.progress_bar import Standing, standings

if TYPE_CHECKING:
    from distkeras.history import Progress

__all__ = ["line_of", "progress_in", "watch"]


def watch(states: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Shows what a server tells of a job until it has ended; returns the last of it."""
    told: Mapping[str, Any] = {}
    with standings() as show:
        for told in states:
            now = told.get("progress") or {}
            total = now.get("total") or None
            done = total if told["state"] == "succeeded" else now.get("rows", 0)
            show(Standing(told["name"], done or 0, total, line_of(told), told["state"]))
    return told


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
