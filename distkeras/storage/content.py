"""Whole files: bytes, JSON, checksums."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from distkeras.errors import StorageError
from distkeras.storage.local import LocalFiles
from distkeras.storage.places import files_of
from distkeras.storage.urls import Url, locate

__all__ = [
    "exists",
    "local_copy",
    "read_bytes",
    "read_json",
    "sha256",
    "write_bytes",
    "write_json",
]


def exists(url: Url) -> bool:
    """Whether something stands at the URL.

    Raises:
        StorageError: the file system does not answer.
    """
    return files_of(url).entry(os.fspath(url)) is not None


def read_bytes(url: Url) -> bytes:
    """The content of one file.

    Raises:
        StorageError: it is missing or cannot be read.
    """
    return b"".join(files_of(url).read(os.fspath(url)))


def write_bytes(url: Url, content: bytes) -> None:
    """Writes one file, in place of one that may be there, in a directory that is there.

    Raises:
        StorageError: it cannot be written.
    """
    files_of(url).write(os.fspath(url), lambda: [content])


def read_json(url: Url) -> dict[str, Any]:
    """The JSON object in one file.

    Raises:
        StorageError: it is missing, cannot be read, or is no JSON object.
    """
    try:
        value = json.loads(read_bytes(url))
    except ValueError as error:
        raise StorageError(f"{os.fspath(url)}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise StorageError(f"{os.fspath(url)}: holds {type(value).__name__}, not a JSON object")
    return value


def write_json(url: Url, value: Mapping[str, Any]) -> None:
    """Writes a JSON object: keys as they come, two spaces, a newline at the end.

    Raises:
        StorageError: the path cannot be written.
        ValueError: a number is not finite, or a value is none of JSON's types.
    """
    text = json.dumps(dict(value), indent=2, allow_nan=False) + "\n"
    write_bytes(url, text.encode())


def sha256(url: Url) -> str:
    """SHA-256 of one file's content, hexadecimal, read in pieces of about a mebibyte.

    Raises:
        StorageError: it is missing or cannot be read.
    """
    digest = hashlib.sha256()
    for piece in files_of(url).read(os.fspath(url)):
        digest.update(piece)
    return digest.hexdigest()


@contextmanager
def local_copy(url: Url) -> Iterator[Path]:
    """A file on this machine with the same content: itself, or a copy that is gone afterwards.

    Raises:
        StorageError: it is missing or cannot be read, or the temporary folder is full.
    """
    place = locate(url)
    if isinstance(place, Path):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="distkeras-") as folder:
        local = Path(folder, place.name)
        LocalFiles().write(str(local), partial(files_of(place).read, str(place)))
        yield local
