"""Directories and files that appear whole or not at all.

A result is written beside its final place, made durable, and renamed once. So whatever stands
under a final name is whole, however its writer ended.
"""

from __future__ import annotations

import os
import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

from distkeras.errors import StorageError
from distkeras.storage.files import Files
from distkeras.storage.local import LocalFiles, one_line
from distkeras.storage.places import files_of
from distkeras.storage.urls import Place, Url, locate

__all__ = ["abandoned", "publish", "publish_file", "withdraw"]

_STAGING = ".{name}.staging-"


@contextmanager
def publish(url: Url) -> Iterator[Place]:
    """Makes a directory appear whole or not at all.

    Yields an empty staging directory beside the final one. On normal exit it is made durable
    and renamed once; on an exception it is removed. If the final directory has appeared
    meanwhile, that one stays and ours is discarded: the first one wins.

    Args:
        url: where the directory is to appear; parents are made.

    Raises:
        StorageError: no permission, no space, no answer, or a file stands at the final place.
    """
    final = locate(url)
    files, staging = files_of(final), final.with_name(_staging_name(final.name))
    try:
        with _told_of(final, staging):
            files.make_directory(str(final.parent))
            _remove_stale(files, final)
            files.make_directory(str(staging))
            yield staging
            files.flush(str(staging))
            if not files.rename(str(staging), str(final), replace=False):
                _check_directory(files, final)
    finally:
        files.discard(str(staging))


def withdraw(url: Url) -> None:
    """Removes a directory that was published: it stops to count in one step, and is then deleted.

    Args:
        url: where it stands. Nothing happens where nothing stands.

    Raises:
        StorageError: it cannot be removed, or not all of it.
    """
    final = locate(url)
    files, aside = files_of(final), final.with_name(_staging_name(final.name))
    if files.entry(str(final)) is None:
        return
    files.rename(str(final), str(aside), replace=False)
    files.discard(str(aside))
    if files.entry(str(aside)) is not None:
        raise StorageError(f"{final}: not all of it could be deleted: the rest is in {aside}")


def abandoned(name: str) -> bool:
    """Whether a name is that of a staging directory whose process, on this host, is gone.

    Args:
        name: without the folders above.
    """
    begin, mark, mine = name.partition(f".staging-{socket.gethostname()}-")
    process = mine.split("-")[0]
    return begin.startswith(".") and bool(mark) and process.isdigit() and not _alive(int(process))


@contextmanager
def publish_file(url: Url) -> Iterator[Path]:
    """Makes a file appear whole or not at all; one that is there is replaced in one step.

    Yields a local path to write to, with the ending of the final name: beside the final place, or
    in a temporary folder where that place is a remote one. On an exception nothing is left.

    Args:
        url: where the file is to appear; parents are made.

    Raises:
        StorageError: no permission, no space, no answer, or a directory stands at the final place.
    """
    final = locate(url)
    files, staging = files_of(final), final.with_name(f".{_mine()}-{final.name}")
    try:
        with _told_of(final, staging):
            _check_no_directory(files, final)
            files.make_directory(str(final.parent))
            with _writable(staging) as path:
                yield path
            files.flush(str(staging))
            files.rename(str(staging), str(final), replace=True)
    finally:
        files.discard(str(staging))


@contextmanager
def _writable(staging: Place) -> Iterator[Path]:
    """The file itself, or one whose content goes there afterwards."""
    if isinstance(staging, Path):
        yield staging
        return
    with tempfile.TemporaryDirectory(prefix="distkeras-") as folder:
        local = Path(folder, staging.name)
        with one_line(local, "write"):
            yield local
        files_of(staging).write(str(staging), partial(LocalFiles().read, str(local)))


@contextmanager
def _told_of(final: Place, staging: Place) -> Iterator[None]:
    """Errors name the place that was asked for, and are one line for a full local disk too."""
    try:
        with one_line(final, "write") if isinstance(final, Path) else nullcontext():
            yield
    except StorageError as error:
        raise StorageError(str(error).replace(str(staging), str(final))) from error


def _check_directory(files: Files, final: Place) -> None:
    there = files.entry(str(final))
    if there is None or not there.directory:
        raise StorageError(f"{final}: cannot be published: a file stands there")


def _check_no_directory(files: Files, final: Place) -> None:
    there = files.entry(str(final))
    if there is not None and there.directory:
        raise StorageError(f"{final}: cannot be written: a directory stands there")


def _staging_name(name: str) -> str:
    return _STAGING.format(name=name) + _mine()


def _mine() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"


def _remove_stale(files: Files, final: Place) -> None:
    # Who may write into a folder need not be able to list it.
    with suppress(StorageError):
        for name in (entry.name for entry in files.entries(str(final.parent))):
            if name.startswith(_STAGING.format(name=final.name)) and abandoned(name):
                files.discard(str(final.with_name(name)))


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
