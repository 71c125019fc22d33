"""Paths and URLs: which file system they are in, and joining them.

A local place is a ``pathlib.Path``; a remote one a ``RemotePath``, which is used in the same way:
``place / "name"``, ``place.parent``, ``os.fspath(place)``, and ``str(place)`` for Spark.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import TypeAlias

from distkeras.errors import StorageError

__all__ = ["Place", "RemotePath", "Url", "local_path", "locate", "spark_url"]

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):(?=/)")
_REMOTE = re.compile(r"^(hdfs):(?://([^/]*))?(/.*)?$", re.DOTALL)


class RemotePath(os.PathLike[str]):
    """A path in a remote file system; equal to another one with the same URL.

    Args:
        url: ``hdfs://host:port/path``, ``hdfs://nameservice/path`` or ``hdfs:///path``.

    Attributes:
        scheme: before the colon.
        authority: ``host:port``, the name of a nameservice, or nothing.
        path: the absolute path, without ``.``, ``..`` and slashes that say nothing.

    Raises:
        StorageError: there is no path in it, or no such scheme.
    """

    __slots__ = ("authority", "path", "scheme")

    def __init__(self, url: str) -> None:
        match = _REMOTE.match(url)
        if match is None or match[3] is None:
            raise StorageError(f"{url}: write it as hdfs://host:port/path")
        self.scheme, self.authority = match[1], match[2] or ""
        self.path = posixpath.normpath("/" + match[3].lstrip("/"))

    @property
    def name(self) -> str:
        """The last part of the path."""
        return posixpath.basename(self.path)

    @property
    def suffix(self) -> str:
        """The ending of the name, with its dot."""
        return posixpath.splitext(self.path)[1]

    @property
    def parent(self) -> RemotePath:
        """The folder above."""
        return self / ".."

    def with_name(self, name: str) -> RemotePath:
        """Beside this one, under another name."""
        return self.parent / name

    def __truediv__(self, name: str) -> RemotePath:
        return RemotePath(f"{self}/{name}")

    def __fspath__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    def __str__(self) -> str:
        return self.__fspath__()

    def __repr__(self) -> str:
        return f"RemotePath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


#: Where something stands.
Place: TypeAlias = Path | RemotePath
#: How a caller may say so.
Url: TypeAlias = str | os.PathLike[str]


def locate(url: Url) -> Place:
    """The place that a path or URL names.

    Args:
        url: a local path, ``file:///absolute/path``, or ``hdfs://host:port/path``.

    Raises:
        StorageError: the scheme is another one.
    """
    text = os.fspath(url)
    return RemotePath(text) if text.startswith("hdfs:") else local_path(text)


def spark_url(url: Url) -> str:
    """The same place for Spark, whatever file system and working directory its JVM starts from.

    Raises:
        StorageError: see ``locate``.
    """
    place = locate(url)
    # Not as_uri(): Hadoop takes percent signs as they are.
    return str(place) if isinstance(place, RemotePath) else f"file://{os.path.abspath(place)}"


def local_path(url: Url) -> Path:
    """The local path that a URL names.

    Args:
        url: a path, or ``file:///absolute/path``.

    Raises:
        StorageError: the scheme is another one.
    """
    text = os.fspath(url)
    match = _SCHEME.match(text)
    if match is None:
        return Path(text)
    path = "/" + text[match.end() :].lstrip("/")
    if match[1] != "file" or re.match("//[^/]", text[match.end() :]):
        raise StorageError(
            f"{text}: only local paths, file:///absolute/path and hdfs://host:port/path are "
            "supported"
        )
    return Path(path)
