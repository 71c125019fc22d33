"""Which data jobs may read: what lies in the folders that the server's owner names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from distkeras.errors import ConfigError, StorageError
from distkeras.storage import Place, RemotePath, locate

__all__ = ["DataRoots"]

#: Spark would take these for a pattern, or for several paths.
_WILD = frozenset("*?[]{},\\")
#: Files and folders that are looked at before a job may read them.
ENTRIES = 100_000


class DataRoots:
    """Folders, local or on HDFS, that data may be in.

    Args:
        roots: their paths or URLs.

    Raises:
        ConfigError: there is none, or one is no folder or no URL that storage knows.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        if not roots:
            raise ConfigError("no data root is given, and no job could read anything")
        self.roots = tuple(_root(text) for text in roots)

    def check(self, path: str) -> str:
        """The place of a path that jobs may read.

        Asked when a job is submitted and again when it runs, as links may have changed.

        Args:
            path: absolute, or a URL.

        Returns:
            The path with all links resolved, or the URL, for Spark.

        Raises:
            ConfigError: it is outside, whether or not something is there.
        """
        try:
            place = locate(path)
        except StorageError:
            raise ConfigError("data_path: is no path and no hdfs:// URL") from None
        if _WILD & set(path) or ".." in path.split("/"):
            raise ConfigError("data_path: must be a plain path, without '..' and patterns")
        found = place if isinstance(place, RemotePath) else _resolved(place)
        if not any(_within(found, root) for root in self.roots):
            raise ConfigError("data_path: is outside the folders that this server reads")
        if isinstance(found, Path):
            _check_below(found, self.roots)
        return os.fspath(found)

    def check_apart(self, place: Place) -> None:
        """Refuses a place of the server's own that jobs could read as data, or that has data in it.

        Args:
            place: where models, logs, results or secrets are; need not be there.

        Raises:
            ConfigError: it is in a root, or a root in it.
        """
        own = place.resolve() if isinstance(place, Path) else place
        for root in self.roots:
            if _within(own, root) or _within(root, own):
                raise ConfigError(
                    f"--data-root {root}: {place} is the server's own: neither may be in the other"
                )


def _root(text: str) -> Path | RemotePath:
    try:
        place = locate(text)
    except StorageError as error:
        raise ConfigError(f"--data-root {error}") from None
    if isinstance(place, RemotePath):
        return place
    if not place.is_dir():
        raise ConfigError(f"--data-root {text}: is no folder")
    return place.resolve()


def _resolved(place: Path) -> Path:
    if not place.is_absolute():
        raise ConfigError("data_path: must be absolute, as the server sees it")
    try:
        return place.resolve()
    except (OSError, RuntimeError, ValueError):
        raise ConfigError("data_path: is outside the folders that this server reads") from None


def _within(place: Path | RemotePath, root: Path | RemotePath) -> bool:
    if isinstance(place, RemotePath) and isinstance(root, RemotePath):
        same = (place.scheme, place.authority) == (root.scheme, root.authority)
        return same and f"{place.path}/".startswith(root.path.rstrip("/") + "/")
    return isinstance(place, Path) and isinstance(root, Path) and place.is_relative_to(root)


def _check_below(folder: Path, roots: Sequence[Path | RemotePath]) -> None:
    """Refuses a folder that is not there, or has a link that leads out."""
    try:
        folder.stat()
    except OSError:  # Among others, a name that is too long for the file system.
        raise ConfigError("data_path: nothing is there") from None
    waiting, left = [os.fspath(folder)] if folder.is_dir() else [], ENTRIES
    while waiting:
        with _entries(waiting.pop()) as entries:
            for entry in entries:
                left -= 1
                if left < 0:
                    raise ConfigError(f"data_path: has more than {ENTRIES} files and folders in it")
                _check_link(entry, roots)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def _entries(folder: str) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
    try:
        return os.scandir(folder)
    except OSError:
        raise ConfigError("data_path: has a folder that the server may not read") from None


def _check_link(entry: os.DirEntry[str], roots: Sequence[Path | RemotePath]) -> None:
    if entry.is_symlink():
        found = _resolved(Path(entry.path))
        if not any(_within(found, root) for root in roots):
            raise ConfigError("data_path: has a link that leads outside")
