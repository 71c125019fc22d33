"""Whether data has changed, without reading it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from distkeras.errors import DataError
from distkeras.storage.listing import files_below, find
from distkeras.storage.urls import Url, locate

__all__ = ["fingerprint"]


def fingerprint(url: Url) -> str:
    """A hash that changes when the files under a path do: SHA-256, hexadecimal.

    It is taken over the sorted (relative path, size in bytes, modification time in ns) of every
    file, so no content is read. Hidden files and Spark's ``_``-files count too.

    Args:
        url: a file, a directory (searched to the bottom) or a glob pattern.

    Raises:
        DataError: nothing is there.
        StorageError: the file system does not answer, or a link leads nowhere.
    """
    stamps = sorted((file.name, file.entry.size, file.entry.modified) for file in files_below(url))
    if not stamps:
        raise DataError(f"{os.fspath(url)}: {_why_nothing(url)}")
    digest = hashlib.sha256()
    for stamp in stamps:
        digest.update(json.dumps(stamp).encode())
    return digest.hexdigest()


def _why_nothing(url: Url) -> str:
    if find(url):
        return "it is an empty directory"
    looked = f" (looked in {Path.cwd()})" if isinstance(locate(url), Path) else ""
    return f"no such file, directory or match{looked}"
