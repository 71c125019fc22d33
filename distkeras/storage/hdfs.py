"""HDFS, over WebHDFS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from distkeras.errors import StorageError
from distkeras.storage.files import Entry
from distkeras.storage.hdfs_addresses import endpoint_of
from distkeras.storage.hdfs_errors import Refused
from distkeras.storage.hdfs_settings import hdfs_settings
from distkeras.storage.hdfs_transfers import Upload, download
from distkeras.storage.urls import RemotePath
from distkeras.storage.webhdfs import WebHdfs, content, operation

__all__ = ["HdfsFiles"]

# Clearing away takes at most these seconds, and this part of an operation's.
DISCARD_SECONDS, DISCARD_PART = 5.0, 0.1
# A file that was begun is there after so many seconds, or never.
APPEARS_SECONDS = 1.0
# What the NameNode says where a rename would replace what it may not.
OCCUPIED = ("already exists", "directory is not empty", "must both be directories")


class HdfsFiles:
    """See ``Files``; URLs are ``hdfs://host:port/path``; how it is reached: ``HdfsSettings``.

    No state and no connection is kept between calls: any thread and any forked process may call.
    """

    def entry(self, url: str) -> Entry | None:
        """See ``Files``."""
        with operation(url, "look at") as hdfs:
            status = hdfs.status()
        return None if status is None else _entry(RemotePath(url).name, status)

    def entries(self, url: str) -> list[Entry]:
        """See ``Files``."""
        with operation(url, "list") as hdfs:
            found = content(hdfs.ask("LISTSTATUS"), "FileStatuses")["FileStatus"]
            if [status["pathSuffix"] for status in found] == [""]:
                raise Refused("it is a file")
        return sorted(_entry(status["pathSuffix"], status) for status in found)

    def read(self, url: str) -> Iterator[bytes]:
        """See ``Files``."""
        with operation(url, "read") as hdfs:
            yield from download(hdfs)

    def write(self, url: str, source: Callable[[], Iterable[bytes]]) -> None:
        """See ``Files``."""
        upload = Upload(source)
        try:
            with operation(url, "write") as hdfs:
                upload.run(hdfs)
        except BaseException:
            if upload.begun:
                _clear_away(url)
            raise

    def make_directory(self, url: str) -> None:
        """See ``Files``."""
        with operation(url, "make this directory") as hdfs:
            if content(hdfs.ask("MKDIRS"), "boolean") is not True:
                raise Refused("the NameNode did not say why")

    def rename(self, source: str, target: str, *, replace: bool) -> bool:
        """See ``Files``."""
        settings = hdfs_settings()
        if endpoint_of(source, settings).bases != endpoint_of(target, settings).bases:
            raise StorageError(f"{target}: cannot move {source} there: it is another file system")
        with operation(target, f"move {source} there") as hdfs:
            moved = _rename(hdfs, RemotePath(source).path, replace)
        return moved

    def discard(self, url: str) -> None:
        """See ``Files``."""
        with suppress(StorageError), operation(url, "remove", _discard_seconds()) as hdfs:
            hdfs.ask("DELETE", recursive="true")

    def flush(self, url: str) -> None:
        """Nothing is left to do.

        The NameNode has written a name to its log before it answers, and ``write`` has asked
        the DataNodes to force each block onto their disks before they answer. HttpFS, and Hadoop
        before 2.8, do not hear the latter: there a file is whole on as many DataNodes as hold it,
        but in their memory, until their kernels write it.
        """


def _rename(hdfs: WebHdfs, source: str, replace: bool) -> bool:
    before = hdfs.status(source)
    if before is None:
        raise Refused(f"there is no {source}")
    # Without an option, HDFS moves a directory into one that is there. OVERWRITE replaces a file
    # by a file, and a directory only by an empty one; the NameNode looks and moves in one step.
    option = "OVERWRITE" if replace or before["type"] == "DIRECTORY" else "NONE"
    try:
        hdfs.ask("RENAME", source, destination=hdfs.endpoint.path, renameoptions=option)
    except Refused as refused:
        if not replace and any(text in refused.reason for text in OCCUPIED):
            return False
        # An attempt whose answer was lost may have moved it: then it is there.
        after = hdfs.status() if refused.java == "FileNotFoundException" else None
        if after is None or after.get("fileId") != before.get("fileId"):
            raise
    return True


def _clear_away(url: str) -> None:
    """Removes a file whose transfer broke off; never a directory that has something in it."""
    with suppress(StorageError), operation(url, "remove", _discard_seconds()) as hdfs:
        # The DataNode may be about to make it: it knows of our end later than we do.
        while not content(hdfs.ask("DELETE", recursive="false"), "boolean"):
            hdfs.wait(Refused("nothing is there", again=hdfs.patience.used() < APPEARS_SECONDS))


def _discard_seconds() -> float:
    return min(DISCARD_SECONDS, DISCARD_PART * hdfs_settings().timeout)


def _entry(name: str, status: dict[str, Any]) -> Entry:
    directory = status["type"] == "DIRECTORY"
    size = 0 if directory else status["length"]
    return Entry(name, directory, size, status["modificationTime"] * 1_000_000)
