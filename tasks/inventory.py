"""What stands under the directory of all results."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from distkeras.errors import StorageError
from distkeras.storage import Place, files_of, locate, read_json
from tasks.keys import LENGTH
from tasks.target import MANIFEST

__all__ = ["FAMILIES", "Result", "names", "results"]

#: The tasks whose results have a key; no other folder is looked into.
FAMILIES = ("Preprocess", "Train", "Retrain", "Evaluate", "Compare", "Trial", "Sweep")
_KEY = re.compile(rf"[0-9a-f]{{{LENGTH}}}")


class Result(NamedTuple):
    """A complete result.

    Attributes:
        place: its directory.
        family: the task's name.
        about: what the task wrote about itself: key, what that depends on, when it finished.
    """

    place: Place
    family: str
    about: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The directory's name."""
        return self.place.name


def results(root: str, family: str) -> Iterator[Result]:
    """The complete results of a task, whose manifests say that they are just that.

    Args:
        root: the directory of all results.
        family: the task's name.

    Raises:
        StorageError: the file system does not answer.
    """
    folder = locate(root) / family
    for name in names(folder):
        about = _about(folder / name) if _KEY.fullmatch(name) else None
        if about and (about.get("name"), about.get("key")) == (family, name):
            yield Result(folder / name, family, about)


def names(folder: Place) -> list[str]:
    """The names of the directories in a folder; links are left out, as they lead elsewhere.

    Raises:
        StorageError: the file system does not answer.
    """
    files = files_of(folder)
    there = files.entry(str(folder))
    if there is None or not there.directory or _is_link(folder):
        return []
    found = (entry.name for entry in files.entries(str(folder)) if entry.directory)
    return [name for name in found if not _is_link(folder / name)]


def _is_link(place: Place) -> bool:
    return isinstance(place, Path) and os.path.islink(place)


def _about(place: Place) -> Mapping[str, Any] | None:
    # What another version, or somebody's hand, has written is no reason to fail.
    try:
        about = read_json(place / MANIFEST).get("task")
    except StorageError:
        return None
    return about if isinstance(about, dict) and isinstance(about.get("depends_on"), dict) else None
