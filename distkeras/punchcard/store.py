"""The table of jobs, in SQLite: what is written there survives the server, however it ends.

Every change of a job's state is one transaction that says from which states it leads, so a change
that comes too late, or twice, changes nothing.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from distkeras.errors import ConfigError, StorageError
from distkeras.punchcard.job_file import ENDED, STATES, JobFile
from distkeras.punchcard.jobs import Job, Submission

__all__ = ["ConflictError", "DiskFullError", "Share", "Store", "TooManyError"]

_COLUMNS = ", ".join(Job._fields)
_TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    identity TEXT NOT NULL,
    secret TEXT NOT NULL,
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    name TEXT NOT NULL,
    trainer TEXT NOT NULL,
    data_path TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    cancelling INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    submitted REAL NOT NULL,
    started REAL,
    ended REAL,
    description TEXT NOT NULL,
    UNIQUE (identity, key)
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state);
CREATE INDEX IF NOT EXISTS jobs_by_identity ON jobs (identity, number);
"""
_NEW = "identity, secret, key, name, trainer, data_path, bytes, description, id, submitted, state"
#: Seconds that one writer waits for another, of which there is none but a program of the owner's.
BUSY = 30.0
LIVE = STATES[:3]


class ConflictError(ConfigError):
    """An idempotency key came again with another job."""


class TooManyError(ConfigError):
    """An identity has as many jobs as it may have, or as many bytes of models."""


class DiskFullError(StorageError):
    """There is no room for what was sent."""


class Share(NamedTuple):
    """What an identity may have of jobs that have not ended.

    Attributes:
        jobs: how many.
        bytes: of all their models.
    """

    jobs: int
    bytes: int


class Store:
    """The jobs.

    Args:
        path: of the database; made where it is not there.

    Raises:
        StorageError: it cannot be opened, or is no database of jobs.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        # It has the SHA-256 of secrets; the folder may be one that was there, and open to others.
        with suppress(OSError):
            path.touch(0o600)
        try:
            # Transactions are begun and ended here, not by the module's own guess.
            self._database = sqlite3.connect(
                path, timeout=BUSY, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA journal_mode = WAL")
            # What was acknowledged survives a loss of power, too.
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_TABLE)
            # A table of an earlier version, which no release had, lacks some.
            self._database.execute(f"SELECT {_COLUMNS}, description FROM jobs LIMIT 0")
        except sqlite3.Error as error:
            raise StorageError(f"{path}: {error}") from None

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._database.close()

    def known(self, new: Submission) -> Job | None:
        """The job that this submission has become; None where it has become none yet.

        Raises:
            ConflictError: the key is that of another job.
        """
        with self._lock:
            return _same(self._database, new, new.file.model_dump_json())

    def submit(self, new: Submission, most: Share) -> tuple[Job, bool]:
        """Adds a job, once for each idempotency key of its identity.

        Args:
            new: what becomes a job.
            most: what the identity may have.

        Returns:
            The job that has this key, and whether it was added now.

        Raises:
            ConflictError: the key is that of another job.
            TooManyError: the identity has as many as it may have.
            DiskFullError: there is no room for it.
        """
        description = new.file.model_dump_json()
        with self._transaction() as database:
            if (same := _same(database, new, description)) is not None:
                return same, False
            _check_share(database, new, most)
            name, file = secrets.token_hex(8), new.file
            data = ", ".join(file.reads.values())
            shown = (file.name, file.trainer.name, data, file.model.bytes, description)
            values = (*new[:3], *shown, name, time.time(), "submitted")
            marks = ", ".join("?" for _ in values)
            database.execute(f"INSERT INTO jobs ({_NEW}) VALUES ({marks})", values)
            added = _first(database, "id = ?", (name,))
            assert added is not None
            return added, True

    def file(self, name: str) -> JobFile | None:
        """What was submitted as this job."""
        with self._lock:
            found = _description(self._database, name)
        return None if found is None else JobFile.model_validate_json(found)

    def queue(self, name: str) -> bool:
        """Its model is there: it waits for its turn. Returns whether it has changed."""
        return self._move(name, ("submitted",), "state = 'queued'")

    def remove(self, name: str) -> bool:
        """Forgets a job whose model was refused or never came."""
        with self._transaction() as database:
            done = database.execute(
                "DELETE FROM jobs WHERE id = ? AND state = 'submitted'", (name,)
            )
            return done.rowcount == 1

    def begin(self, name: str) -> bool:
        """It runs, for the first time."""
        begun = "state = 'running', attempt = 1, started = ?"
        return self._move(name, ("queued",), begun, (time.time(),))

    def begin_again(self, name: str) -> bool:
        """It runs, once more."""
        return self._move(name, ("running",), "attempt = attempt + 1")

    def end(self, name: str, state: str, error: str | None = None) -> bool:
        """It has ended, in one of the three ways."""
        assert state in ENDED
        ended = "state = ?, error = ?, ended = ?"
        return self._move(name, ("queued", "running"), ended, (state, error, time.time()))

    def cancel(self, name: str) -> bool:
        """A job that waits is cancelled; one that runs is to be."""
        ended = "state = 'cancelled', cancelling = 1, ended = ?"
        waited = self._move(name, ("submitted", "queued"), ended, (time.time(),))
        return waited or self._move(name, ("running",), "cancelling = 1")

    @property
    def version(self) -> int:
        """Another number whenever a job has changed; costs nothing."""
        return self._database.total_changes

    def job(self, name: str) -> Job | None:
        """The job of this id."""
        with self._lock:
            return _first(self._database, "id = ?", (name,))

    def of(self, identity: str, before: int, most: int) -> list[Job]:
        """An identity's jobs, the latest first.

        Args:
            identity: whose.
            before: only those with a smaller number.
            most: no more than this.
        """
        where = "identity = ? AND number < ? ORDER BY number DESC LIMIT ?"
        return self._all(where, (identity, before, most))

    def live(self) -> list[Job]:
        """What runs, and of what waits the first of each secret, in the order of submission."""
        first = "SELECT min(number) FROM jobs WHERE state = 'queued' GROUP BY secret"
        return self._all(f"state = 'running' OR number IN ({first}) ORDER BY number", ())

    def forgotten(self, since: float) -> list[Job]:
        """Those that were submitted before, in seconds since 1970, and whose model never came."""
        return self._all("state = 'submitted' AND submitted < ?", (since,))

    def ended(self, since: float, before: float) -> list[Job]:
        """Those that have ended between two times, in seconds since 1970."""
        return self._all("ended >= ? AND ended < ?", (since, before))

    def purge(self, name: str) -> None:
        """Forgets a job that has ended."""
        with self._transaction() as database:
            database.execute("DELETE FROM jobs WHERE id = ? AND ended IS NOT NULL", (name,))

    def _move(
        self, name: str, states: Sequence[str], change: str, values: Sequence[object] = ()
    ) -> bool:
        marks = ", ".join("?" for _ in states)
        with self._transaction() as database:
            done = database.execute(
                f"UPDATE jobs SET {change} WHERE id = ? AND state IN ({marks})",
                (*values, name, *states),
            )
            return done.rowcount == 1

    def _all(self, where: str, values: Sequence[object]) -> list[Job]:
        with self._lock:
            found = self._database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE {where}", values)
            return [Job(*row) for row in found]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except BaseException as error:
                # After some failures, as of a full disk, SQLite has done so itself.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                if not isinstance(error, sqlite3.OperationalError):
                    raise
                if "disk" in str(error):
                    raise DiskFullError(f"the table of jobs: {error}") from None
                if "locked" in str(error):  # For ``BUSY`` seconds, by somebody else's program.
                    raise StorageError(f"the table of jobs: {error}") from None
                raise


def _first(database: sqlite3.Connection, where: str, values: Sequence[object]) -> Job | None:
    row = database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE {where}", values).fetchone()
    return None if row is None else Job(*row)


def _same(database: sqlite3.Connection, new: Submission, description: str) -> Job | None:
    """The job that has a submission's key."""
    same = _first(database, "identity = ? AND key = ?", (new.identity, new.key))
    if same is not None and _description(database, same.id) != description:
        raise ConflictError("Idempotency-Key: was given with another job before")
    return same


def _description(database: sqlite3.Connection, name: str) -> str | None:
    row = database.execute("SELECT description FROM jobs WHERE id = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def _check_share(database: sqlite3.Connection, new: Submission, most: Share) -> None:
    of_it = "FROM jobs WHERE identity = ? AND state IN (?, ?, ?)"
    live, size = database.execute(
        f"SELECT count(*), coalesce(sum(bytes), 0) {of_it}", (new.identity, *LIVE)
    ).fetchone()
    if live >= most.jobs:
        raise TooManyError(f"{live} jobs have not ended, and this server allows {most.jobs}")
    if size + new.file.model.bytes > most.bytes:
        raise TooManyError(
            f"the models of {live} jobs that have not ended have {size} bytes; with this one's "
            f"{new.file.model.bytes} that is more than the {most.bytes} that this server allows"
        )
