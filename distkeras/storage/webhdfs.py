"""One operation on HDFS: its requests over WebHDFS, until there is an answer or the time is up.

The ``hdfs`` package knows how to authenticate, and does it (``hdfs_sessions``). The requests are
ours, because its own forget the HTTP status, wait for each of several NameNodes as long as for a
single one, take any failure to look at a file for its absence, rename by a call that moves a
directory into one that is there, and cannot leave a DataNode out.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from distkeras.errors import ConfigError, StorageError
from distkeras.storage.hdfs_addresses import Endpoint, endpoint_of
from distkeras.storage.hdfs_errors import Refused, not_webhdfs, refusal, unanswered
from distkeras.storage.hdfs_sessions import namenode_session, plain_session
from distkeras.storage.hdfs_settings import HdfsSettings, hdfs_settings

__all__ = ["SHORTEST", "Patience", "WebHdfs", "content", "operation"]

# Of an operation's seconds; what is left is for clearing away what was begun.
ATTEMPTS = 0.8
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
#: Seconds; a request with less time than this is none.
SHORTEST = 0.05
METHODS = {"GETFILESTATUS": "GET", "LISTSTATUS": "GET", "OPEN": "GET", "DELETE": "DELETE"}
# The NameNode answers these with the URL of a DataNode.
TRANSFERS = ("CREATE", "OPEN")

# Which of several NameNodes answered last, by their addresses: asked first the next time.
_active: dict[tuple[str, ...], int] = {}


class Patience:
    """How long an operation may stand still.

    Args:
        seconds: since the start, or since the last progress.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._start = self._progress = time.monotonic()

    def left(self) -> float:
        """Seconds."""
        return max(0.0, self._progress + self._seconds - time.monotonic())

    def used(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def renew(self) -> None:
        """There was progress."""
        self._progress = time.monotonic()


@contextmanager
def operation(url: str, verb: str, seconds: float | None = None) -> Iterator[WebHdfs]:
    """Requests that are made for one purpose, and fail as one.

    Args:
        url: what it is about.
        verb: the purpose: "read".
        seconds: how long it goes on without progress; None: as the settings say.

    Raises:
        StorageError: in place of a ``Refused`` that leaves the block.
    """
    settings = hdfs_settings()
    endpoint = endpoint_of(url, settings)
    try:
        hdfs = WebHdfs(endpoint, settings, Patience(seconds or settings.timeout * ATTEMPTS))
    except ConfigError as error:
        raise StorageError(f"{url}: {error}") from error
    failure = None
    try:
        yield hdfs
    except Refused as refused:
        failure = f"{url}: cannot {verb}: {refused.reason}; tried {hdfs.told()}"
    finally:
        hdfs.close()
    if failure is not None:
        raise StorageError(failure)


class WebHdfs:
    """Asks NameNodes and DataNodes; of one thread, and for one operation.

    No connection outlives it: one that a NameNode's restart has closed would look alive, and
    a process that was forked would share it.

    Attributes:
        endpoint: where, and about which path.
        patience: when it gives up.
    """

    def __init__(self, endpoint: Endpoint, settings: HdfsSettings, patience: Patience) -> None:
        self.endpoint, self.patience = endpoint, patience
        self._named = namenode_session(endpoint, settings)
        self._plain = plain_session(settings)
        self._pause, self._attempts = FIRST_PAUSE, 0
        self._tried: dict[str, None] = {}
        self._left_out: set[str] = set()

    def close(self) -> None:
        """Closes its connections."""
        self._named.close()
        self._plain.close()

    def told(self) -> str:
        """What was tried, where, how often and for how long."""
        times = f"{self._attempts} attempts" if self._attempts > 1 else "1 attempt"
        line = f"{', '.join(self._tried)}: {times} in {self.patience.used():.1f} s"
        return line + (f"; {self.endpoint.hint}" if self.endpoint.hint else "")

    def status(self, path: str | None = None) -> dict[str, Any] | None:
        """WebHDFS' FileStatus of what stands there; None where nothing does.

        Raises:
            Refused: see ``ask``.
        """
        try:
            response = self.ask("GETFILESTATUS", path)
        except Refused as refused:
            # Below a file there is nothing; the NameNode calls that a matter of permissions.
            if refused.java == "FileNotFoundException" or "(is not a directory)" in refused.reason:
                return None
            raise
        found: dict[str, Any] = content(response, "FileStatus")
        return found

    def ask(self, operation: str, path: str | None = None, **params: str) -> requests.Response:
        """Asks the NameNodes in turn, again and again, until one says something final.

        Args:
            operation: WebHDFS' name for it.
            path: what about; None: the operation's own.
            params: of the operation.

        Returns:
            The answer; of ``OPEN`` and ``CREATE`` most often a redirection, which is not followed.

        Raises:
            Refused: what one said; or, when the time was up, why it was not yet done.
        """
        while True:
            problems: list[Refused] = []
            for base in self._in_turn():
                seconds = self.patience.left() / (len(self.endpoint.bases) - len(problems))
                try:
                    return self._ask_one(base, path, {"op": operation, **params}, seconds)
                except Refused as refused:
                    # What has no name may be this one's own trouble, and another one be well.
                    if refused.java and not refused.again:
                        raise
                    problems.append(refused)
            self.wait(max(problems, key=lambda one: (one.again, one.java != "StandbyException")))

    def send(self, method: str, url: str, **options: Any) -> requests.Response:
        """Sends a request to where a NameNode has pointed; the answer may be any.

        Raises:
            Refused: there was none.
        """
        # HttpFS points at itself, and then wants to know again who asks.
        own = any(url.startswith(f"{base}/") for base in self.endpoint.bases)
        session = self._named if own else self._plain
        return self._request(session, method, url, self.patience.left(), options)

    def knock(self, url: str) -> None:
        """Finds out whether anybody is there, before much is sent.

        Raises:
            Refused: nobody is.
        """
        parts = urlsplit(url)
        address = (parts.hostname or "", parts.port or 80)
        try:
            socket.create_connection(address, max(SHORTEST, self.patience.left() / 3)).close()
            return
        except OSError as error:
            problem = unanswered(error, parts.netloc)
        raise problem

    def leave_out(self, url: str) -> None:
        """The next transfer is not to go to this DataNode, if there is another one."""
        with suppress(OSError):
            # The NameNode knows its DataNodes by their addresses.
            self._left_out.add(socket.gethostbyname(urlsplit(url).hostname or ""))

    def wait(self, refused: Refused) -> None:
        """Waits a little before another attempt.

        Raises:
            Refused: it was final, or the time is up.
        """
        left = self.patience.left()
        if not refused.again or left <= SHORTEST:
            raise refused
        # So that the last attempt comes near the end.
        time.sleep(min(self._pause, left / 2))
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _in_turn(self) -> Iterator[str]:
        bases = self.endpoint.bases
        first = _active.get(bases, 0)
        for count in range(len(bases)):
            number = (first + count) % len(bases)
            yield bases[number]

    def _ask_one(
        self, base: str, path: str | None, params: dict[str, str], seconds: float
    ) -> requests.Response:
        transfer = params["op"] in TRANSFERS
        if transfer and self._left_out:
            params["excludedatanodes"] = ",".join(sorted(self._left_out))
        url = f"{base}/webhdfs/v1{quote(self.endpoint.path if path is None else path)}"
        method, options = METHODS.get(params["op"], "PUT"), {"params": params, "stream": transfer}
        response = self._request(self._named, method, url, seconds, options)
        if response.status_code == 200 or (response.is_redirect and transfer):
            _active[self.endpoint.bases] = self.endpoint.bases.index(base)
            return response
        # With all that is alive left out, what is dead may be back by now.
        self._left_out.clear()
        raise refusal(response)

    def _request(
        self,
        session: requests.Session,
        method: str,
        url: str,
        seconds: float,
        options: dict[str, Any],
    ) -> requests.Response:
        parts, seconds = urlsplit(url), max(SHORTEST, seconds)
        name = options.get("params", {}).get("op", "the transfer")
        self._tried[f"{name} at {parts.scheme}://{parts.netloc}"] = None
        self._attempts += 1
        options = {"timeout": (seconds, seconds), "allow_redirects": False, **options}
        try:
            return session.request(method, url, **options)
        except (requests.RequestException, UnicodeError) as error:
            problem = unanswered(error, parts.netloc)
        # Out here, so that the error is not its context: that quotes the URL, and a token in it.
        raise problem


def content(response: requests.Response, key: str) -> Any:
    """What an answer holds.

    Raises:
        Refused: it is no answer of WebHDFS.
    """
    with suppress(ValueError, KeyError, TypeError):
        return response.json()[key]
    raise not_webhdfs(response)
