"""What a path or a pattern names, and what lies below it."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from distkeras.storage.files import Entry, Files
from distkeras.storage.places import files_of
from distkeras.storage.urls import Place, Url, locate

__all__ = ["Found", "files_below", "find"]

_WILD = re.compile(r"[*?\[]")


class Found(NamedTuple):
    """One thing that is there.

    Attributes:
        place: where.
        entry: what.
        name: its path relative to what was asked for: of a pattern, to the folder above the first
            wild card.
    """

    place: Place
    entry: Entry
    name: str


def find(url: Url) -> list[Found]:
    """What a path or a glob pattern names; empty where nothing is there.

    Args:
        url: a file, a directory, or a pattern of ``*``, ``?`` and ``[...]``, none of which stands
            for a slash, or for a dot at the beginning of a name.

    Raises:
        StorageError: the file system does not answer, or a link leads nowhere.
    """
    root = locate(url)
    files = files_of(root)
    entry = files.entry(str(root))
    if entry is not None:
        return [Found(root, entry, "" if entry.directory else root.name)]
    fixed, *wild = _split(os.fspath(root))
    start = locate(fixed)
    if not wild or (entry := files.entry(str(start))) is None or not entry.directory:
        return []
    return list(_matches(files, start, wild, ""))


def files_below(url: Url) -> Iterator[Found]:
    """The files that a path or a pattern names, and those in the directories that it names.

    Args:
        url: see ``find``.

    Raises:
        StorageError: the file system does not answer, or a link leads nowhere.
    """
    files = files_of(url)
    for found in find(url):
        yield from _below(files, found)


def _split(pattern: str) -> list[str]:
    """The folder above the first part with a wild card, then part by part."""
    parts = pattern.split("/")
    first = next((i for i, part in enumerate(parts) if _WILD.search(part)), len(parts))
    return ["/".join(parts[:first]) or ("/" if pattern.startswith("/") else "."), *parts[first:]]


def _matches(files: Files, folder: Place, wild: list[str], above: str) -> Iterator[Found]:
    for entry in files.entries(str(folder)):
        hidden = entry.name.startswith(".") and not wild[0].startswith(".")
        if hidden or not fnmatchcase(entry.name, wild[0]):
            continue
        place, name = folder / entry.name, posixpath.join(above, entry.name)
        if len(wild) == 1:
            yield Found(place, entry, name)
        elif entry.directory:
            yield from _matches(files, place, wild[1:], name)


def _below(files: Files, found: Found) -> Iterator[Found]:
    if not found.entry.directory:
        yield found
        return
    for entry in files.entries(str(found.place)):
        name = posixpath.join(found.name, entry.name)
        yield from _below(files, Found(found.place / entry.name, entry, name))
