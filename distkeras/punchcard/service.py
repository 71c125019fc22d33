"""What the routes work with: one server's parts, and its folders."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from distkeras.errors import EnvironmentProblem, StorageError
from distkeras.punchcard.dispatcher import Dispatcher
from distkeras.punchcard.housekeeping import Housekeeping
from distkeras.punchcard.job_folder import UPLOAD
from distkeras.punchcard.limits import Limits
from distkeras.punchcard.lockout import Lockout
from distkeras.punchcard.processes import Processes
from distkeras.punchcard.secrets_file import SecretsFile
from distkeras.punchcard.sessions import Sessions
from distkeras.punchcard.store import Store
from distkeras.punchcard.streams import Streams
from distkeras.punchcard.submitting import Command
from distkeras.storage import Place

__all__ = ["Service", "opened"]


@dataclass(frozen=True)
class Service:
    """One server.

    Attributes:
        store: of the jobs.
        processes: of the jobs.
        dispatcher: to be woken when there is something to do.
        limits: of the server's owner.
        secrets: who may submit jobs.
        lockout: of those who guess.
        artifacts: the folder of results; each job has one in it.
        sessions: of who has signed in to the page.
        streams: of the pages that are told of news.
    """

    store: Store
    processes: Processes
    dispatcher: Dispatcher
    limits: Limits
    secrets: SecretsFile
    lockout: Lockout
    artifacts: Place
    sessions: Sessions
    streams: Streams


@contextmanager
def opened(
    folder: Path, secrets: SecretsFile, limits: Limits, artifacts: Place, command: Command
) -> Iterator[Service]:
    """A server's parts, at work until it is left; jobs that run then go on.

    Args:
        folder: of the server's own: the table of jobs, and a folder for each; made where it is
            not there. One server at a time has it.
        secrets: who may submit jobs.
        limits: of the server's owner.
        artifacts: the folder of results, local or on HDFS.
        command: makes the command of a job.

    Raises:
        EnvironmentProblem: another server has the folder.
        StorageError: the folder cannot be used.
    """
    with _alone(folder), Store(folder / "jobs.sqlite") as store:
        processes = Processes(folder / "jobs")
        _tidy(store, processes)
        tidy = Housekeeping(store, processes, artifacts, limits)
        with tidy, Dispatcher(store, processes, command, limits) as dispatcher:
            yield Service(
                *(store, processes, dispatcher, limits, secrets, Lockout(), artifacts),
                *(Sessions(secrets), Streams()),
            )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be used: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            taken = f"{folder}: another Punchcard server has this folder"
            raise EnvironmentProblem(taken) from None
        yield
    finally:
        os.close(descriptor)


def _tidy(store: Store, processes: Processes) -> None:
    """Removes what a server that was killed has left half-done."""
    for name in processes.names():
        if store.job(name) is None:
            processes.remove(name)
        for left in processes.folder(name).glob(f"{UPLOAD}*"):
            left.unlink()
