"""Disks: room where rows are spooled and results are written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from distkeras import storage
from distkeras.doctor.case import Case
from distkeras.doctor.findings import Finding, failed, ok, skipped, warning, worst
from distkeras.doctor.probe import disk

__all__ = ["check_disks", "check_disks_there"]

GIB = 2**30
#: Times the room that must be there: with less there is a warning.
COMFORT = 5
MAKE_ROOM = "make room, or set spark.local.dir (SPARK_LOCAL_DIRS, TMPDIR) to a larger disk"


def check_disks(case: Case) -> Finding:
    """Of the driver: Spark's local folders, that of temporary files, and that of results."""
    room = case.question.room
    return worst([*_judged((disk(folder) for folder in _folders(case)), "", room)])


def check_disks_there(case: Case) -> Finding:
    """Of the executors: where a worker spools its rows."""
    if case.executors is None:
        return skipped("the executors did not answer")
    first = {one.host: one for one in case.executors}
    findings = [
        finding
        for host, one in sorted(first.items())
        for finding in _judged(one.disks, f" on {host}", case.question.room)
    ]
    return worst(findings)


def _folders(case: Case) -> Iterable[str]:
    local = os.environ.get("SPARK_LOCAL_DIRS") or case.question.settings.get("spark.local.dir")
    output = storage.locate(case.question.output)
    folders = [folder.strip() for folder in (local or "/tmp").split(",")]
    folders.append(tempfile.gettempdir())
    if isinstance(output, Path):
        folders.append(str(_existing(output.absolute())))
    return dict.fromkeys(folder for folder in folders if folder)


def _existing(place: Path) -> Path:
    """The folder itself, or the one in which it would be made."""
    return next(one for one in (place, *place.parents) if one.is_dir())


def _judged(disks: Iterable[Mapping[str, Any]], where: str, room: float) -> Iterable[Finding]:
    """A finding for each disk, and for each folder that cannot be written to."""
    by_device: dict[int, list[Mapping[str, Any]]] = {}
    for one in disks:
        if one["problem"]:
            yield failed(
                f"{one['folder']}{where} cannot be written to: {one['problem']}", MAKE_ROOM
            )
        else:
            by_device.setdefault(one["device"], []).append(one)
    for same in by_device.values():
        free = same[0]["free"] / GIB
        text = f"{free:.1f} GiB free in {', '.join(str(one['folder']) for one in same)}{where}"
        if free < room:
            yield failed(text, MAKE_ROOM)
        else:
            yield warning(text, MAKE_ROOM) if free < COMFORT * room else ok(text)
