"""Which file system a URL is in."""

from __future__ import annotations

from distkeras.storage.files import Files
from distkeras.storage.local import LocalFiles
from distkeras.storage.urls import RemotePath, Url, locate

__all__ = ["files_of"]


def files_of(url: Url) -> Files:
    """The file system that a URL is in.

    Raises:
        StorageError: there is none for its scheme.
    """
    if isinstance(locate(url), RemotePath):
        from distkeras.storage.hdfs import HdfsFiles

        return HdfsFiles()
    return LocalFiles()
