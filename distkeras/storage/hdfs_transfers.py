"""Whole files to DataNodes and from them, through the failure of some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import requests

from distkeras.storage.hdfs_errors import Refused, refusal
from distkeras.storage.webhdfs import SHORTEST, WebHdfs

__all__ = ["Upload", "download"]

PIECE = 1 << 20
# SYNC_BLOCK: the DataNodes force each block onto their disks as it is closed, which is when the
# answer comes. Without the folder above it, a file of a folder that was removed stays removed.
CREATE = {
    "overwrite": "true",
    "createparent": "false",
    "createflag": "CREATE,OVERWRITE,SYNC_BLOCK",
}
# Where a file may not be made, what stands there is not ours, and must not be cleared away.
UNTOUCHED = (
    "AccessControlException",
    "FileAlreadyExistsException",
    "FileNotFoundException",
    "ParentNotDirectoryException",
    "SafeModeException",
)


class Upload:
    """A file's way to HDFS; where a DataNode fails, it starts again with another one.

    Args:
        source: gives the content, in pieces, from its start.

    Attributes:
        begun: whether something may stand there by now.
    """

    def __init__(self, source: Callable[[], Iterable[bytes]]) -> None:
        self._source, self._farthest, self.begun = source, 0, False
        self._failure: BaseException | None = None

    def run(self, hdfs: WebHdfs) -> None:
        """Sends it.

        Raises:
            Refused: it cannot be written, or not within the time.
        """
        while True:
            location = hdfs.ask("CREATE", **CREATE).headers["location"]
            try:
                hdfs.knock(location)
                self._put(hdfs, location)
                return
            except Refused as refused:
                problem = refused
            if problem.again:
                hdfs.leave_out(location)
            hdfs.wait(problem)

    def _put(self, hdfs: WebHdfs, location: str) -> None:
        begun, self.begun = self.begun, True
        try:
            response = hdfs.send("PUT", location, data=self._body(hdfs))
        except Refused:
            if self._failure is not None:
                raise self._failure from None
            raise
        if response.status_code != 201:
            problem = refusal(response)
            self.begun = begun or problem.java not in UNTOUCHED
            raise problem

    def _body(self, hdfs: WebHdfs) -> Iterator[bytes]:
        sent = 0
        try:
            for piece in _cut(self._source()):
                yield piece
                sent += len(piece)
                # Nothing new is no progress, or a file could be sent again and again for ever.
                if sent > self._farthest:
                    self._farthest = sent
                    hdfs.patience.renew()
        except Exception as error:
            # Requests takes an OSError for the connection's.
            self._failure = error
            raise


def download(hdfs: WebHdfs) -> Iterator[bytes]:
    """A file's content, whole; where a DataNode fails, another one goes on from there.

    Raises:
        Refused: it is missing, cannot be read, or has changed meanwhile.
    """
    first = _status(hdfs)
    reached, pieces = 0, None
    while reached < first["length"]:
        try:
            if pieces is None:
                pieces = _open(hdfs, first, reached)
            piece = next(pieces)
        except Refused as refused:
            pieces = None
            hdfs.wait(refused)
            continue
        reached += len(piece)
        yield piece
        # However long the reader took for it.
        hdfs.patience.renew()


def _status(hdfs: WebHdfs) -> dict[str, Any]:
    status = hdfs.status()
    if status is None:
        raise Refused("no such file")
    if status["type"] == "DIRECTORY":
        raise Refused("it is a directory")
    return status


def _open(hdfs: WebHdfs, first: dict[str, Any], offset: int) -> Iterator[bytes]:
    if offset and _version(_status(hdfs)) != _version(first):
        raise Refused("it was replaced while it was being read")
    rest = first["length"] - offset
    response = hdfs.ask("OPEN", offset=str(offset), length=str(rest))
    if response.is_redirect:
        location = response.headers["location"]
        try:
            # Half of the time: another DataNode is to have its turn where this one hangs.
            seconds = max(SHORTEST, hdfs.patience.left() / 2)
            response = hdfs.send("GET", location, stream=True, timeout=seconds)
        except Refused:
            hdfs.leave_out(location)
            raise
    if response.status_code != 200:
        raise refusal(response)
    return _pieces(hdfs, response, rest)


def _pieces(hdfs: WebHdfs, response: requests.Response, rest: int) -> Iterator[bytes]:
    try:
        for piece in response.iter_content(PIECE):
            rest -= len(piece)
            yield piece
        problem = None
    except requests.RequestException:
        problem = Refused("the connection broke in the middle", again=True)
    finally:
        response.close()
    if problem or rest:
        hdfs.leave_out(response.url)
        raise problem or Refused("the file ended before its end", again=True)


def _version(status: dict[str, Any]) -> tuple[Any, ...]:
    return status.get("fileId"), status["length"], status["modificationTime"]


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """In pieces that a slow connection takes within the time for one; an empty one ends a body."""
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), PIECE):
            yield bytes(view[start : start + PIECE])
