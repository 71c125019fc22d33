"""Removes what nobody needs any more: a thread beside the dispatcher, as storage may be slow."""

from __future__ import annotations

import re
import time

from distkeras.logs import logger
from distkeras.punchcard.beside import Beside
from distkeras.punchcard.job_file import ENDED
from distkeras.punchcard.limits import Limits
from distkeras.punchcard.processes import Processes
from distkeras.punchcard.store import Store
from distkeras.storage import Place, exists, files_of

__all__ = ["Housekeeping"]

log = logger(__name__)

#: Seconds between two rounds.
ROUND = 60.0
#: Seconds after the last piece of a model for which the next one is waited for.
FORGOTTEN = 3600.0
#: What lies beside results while a job runs: its checkpoints, and what is not yet published.
_BESIDE = re.compile(r"\.([0-9a-f]{16})\..+")


class Housekeeping(Beside):
    """Goes its round once a minute while it is entered, the first time at once.

    Args:
        store: of the jobs.
        processes: of the jobs.
        artifacts: the folder of results.
        limits: of the server's owner.
    """

    def __init__(
        self, store: Store, processes: Processes, artifacts: Place, limits: Limits
    ) -> None:
        super().__init__("housekeeping")
        self._store, self._processes = store, processes
        self._artifacts, self._limits = artifacts, limits
        self._since = 0.0

    def wake(self) -> None:
        """Nothing to do: it waits for no more than the end."""

    def run(self) -> None:
        """Goes one round after the other."""
        while not self.over.is_set():
            try:
                self.round(time.time())
            except Exception:
                log.exception("cannot tidy up; tried again in %g s", ROUND)
            self.over.wait(ROUND)

    def round(self, now: float) -> None:
        """Removes what is too old, or of jobs that have ended.

        Args:
            now: in seconds since 1970.

        Raises:
            StorageError: the storage of results does not answer; the next round does it.
        """
        self._forget(now - FORGOTTEN)
        ended = self._store.ended(self._since, now)
        for job in ended:  # Of those that were cancelled while they waited, and before a kill.
            self._processes.clear(job.id)
        if ended or not self._since:
            self._clear_beside_results()
        if self._limits.keep_seconds is not None:
            self._purge(now - self._limits.keep_seconds)
        # A clock may be put back a little.
        self._since = now - ROUND

    def _forget(self, since: float) -> None:
        """The jobs whose model never came."""
        for job in self._store.forgotten(since):
            # A large model, over a slow network, may still be on its way.
            if self._processes.written(job.id) < since and self._store.remove(job.id):
                self._processes.remove(job.id)

    def _purge(self, before: float) -> None:
        """The jobs that ended so long ago: last of all the row, which knows of the rest."""
        files = files_of(self._artifacts)
        for job in self._store.ended(0.0, before):
            place = str(self._artifacts / job.id)
            files.discard(place)
            if files.entry(place) is None:
                self._processes.remove(job.id)
                self._store.purge(job.id)
                log.info("job %s of %s is forgotten", job.id, job.identity)

    def _clear_beside_results(self) -> None:
        if not exists(self._artifacts):
            return
        files = files_of(self._artifacts)
        for entry in files.entries(str(self._artifacts)):
            found = _BESIDE.fullmatch(entry.name)
            job = self._store.job(found[1]) if found else None
            if job is not None and job.state in ENDED:
                files.discard(str(self._artifacts / entry.name))
