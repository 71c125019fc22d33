"""A job that a server has, by its id: asked, watched, fetched, cancelled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distkeras.errors import JobFailed, ServiceError
from distkeras.job_deployment.connection import Connection
from distkeras.punchcard.job_file import ENDED
from distkeras.punchcard.outputs import RESULT
from distkeras.punchcard.told import Piece, Sizes, Told

__all__ = ["RemoteJob"]

#: Seconds between two questions to the server.
LOOK = 1.0


class RemoteJob:
    """One of the user's jobs.

    Args:
        connection: to its server.
        name: its id.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection, self.name = connection, name

    def told(self) -> dict[str, Any]:
        """What the server tells of it: state, progress, times."""
        found: dict[str, Any] = self.connection.ask("GET", f"jobs/{self.name}", Told)
        return found

    def states(self, timeout: float | None) -> Iterator[dict[str, Any]]:
        """What the server tells, once a second, until the job has ended; that is the last.

        Args:
            timeout: seconds; None: as long as it takes.

        Raises:
            ServiceError: the timeout has passed, or the server was not reached for the time that
                the connection's patience has.
        """
        begun = time.monotonic()
        while True:
            told = self.told()
            yield told
            if told["state"] in ENDED:
                return
            if timeout is not None and time.monotonic() - begun > timeout:
                raise ServiceError(f"job {self.name} is {told['state']} after {timeout:g} s")
            time.sleep(LOOK)

    def cancel(self) -> dict[str, Any]:
        """Has the server cancel it; returns what the server then tells."""
        found: dict[str, Any] = self.connection.ask("POST", f"jobs/{self.name}/cancel", Told)
        return found

    def log(self, follow: bool) -> Iterator[str]:
        """What the job says, in pieces.

        Args:
            follow: go on until it has ended.
        """
        offset, ended = 0, not follow
        while True:
            piece = self.connection.ask("GET", f"jobs/{self.name}/log?offset={offset}", Piece)
            if piece["text"]:
                yield piece["text"]
            if piece["next"] > offset:
                offset = piece["next"]
            elif ended:
                return
            else:
                # Asked before the log is, so that its last lines are still read.
                ended = self.told()["state"] in ENDED
                time.sleep(0.0 if ended else LOOK)

    def results(self) -> dict[str, int]:
        """The names of what it has to fetch, and their sizes in bytes."""
        found: dict[str, int] = self.connection.ask("GET", f"jobs/{self.name}/results", Sizes)
        return found

    def fetch(self, folder: Path) -> list[Path]:
        """Fetches the results into a folder, which is made.

        Raises:
            JobFailed: it has not succeeded.
            ServiceError: the server was not reached, or has no results.
        """
        check_succeeded(self.told())
        sizes = self.results()
        folder.mkdir(parents=True, exist_ok=True)
        found = []
        for name in sorted(sizes):
            # Any other name may be that of a file which the user has there.
            if not RESULT.fullmatch(name):
                raise ServiceError(f"{self.connection.url}: offers a result named {name!r}")
            target = folder / name
            self.connection.download(f"jobs/{self.name}/results/{name}", target, sizes[name])
            found.append(target)
        if not found:
            raise ServiceError(f"{self.connection.url}: job {self.name} has no results any more")
        return found


def check_succeeded(told: dict[str, Any]) -> None:
    """Refuses a job that has not succeeded.

    Raises:
        JobFailed: says what it is instead, and why.
    """
    if told["state"] == "succeeded":
        return
    why = f": {told['error']}" if told.get("error") else ""
    verb = "has" if told["state"] == "failed" else "was" if told["state"] == "cancelled" else "is"
    raise JobFailed(f"job {told['id']} ({told['name']}) {verb} {told['state']}{why}")
