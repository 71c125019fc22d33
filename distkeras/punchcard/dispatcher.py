"""Begins jobs when it is their turn, and notices how they end: one thread beside the web server."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from distkeras.errors import DistkerasError
from distkeras.logs import logger
from distkeras.punchcard.beside import Beside
from distkeras.punchcard.job_folder import ERROR
from distkeras.punchcard.jobs import Job
from distkeras.punchcard.limits import Limits
from distkeras.punchcard.processes import Processes
from distkeras.punchcard.store import Store
from distkeras.punchcard.submitting import Command
from distkeras.punchcard.turns import turns

__all__ = ["Dispatcher"]

log = logger(__name__)

#: Seconds between two looks at what runs.
LOOK = 0.1
#: Seconds between two looks where nothing runs or waits, and nobody has said anything.
REST = 60.0
#: Seconds after a look that has failed.
PAUSE = 5.0
#: How often a job is begun in all when its processes vanish, as with a machine that restarts.
ATTEMPTS = 2
#: How often a launcher that dies before it has said anything is started, ``PAUSE`` after each: its
#: disk may be full, and have room in a minute.
STARTS = 10


class _Starts(NamedTuple):
    """How often a launcher was started that died at once, and when last."""

    times: int
    last: float


class Dispatcher(Beside):
    """Runs jobs while it is entered; those that run then go on, and are found again.

    Args:
        store: of the jobs.
        processes: of the jobs.
        command: makes the command of a job.
        limits: how many run at once, and for how long.
    """

    def __init__(
        self, store: Store, processes: Processes, command: Command, limits: Limits
    ) -> None:
        super().__init__("dispatcher")
        self._store, self._processes = store, processes
        self._command, self._limits = command, limits
        self._news = threading.Event()
        self._starts: dict[str, _Starts] = {}

    def wake(self) -> None:
        """There is a new job, or one to cancel."""
        self._news.set()

    def run(self) -> None:
        """Looks again and again, sooner where something runs."""
        while not self.over.is_set():
            self._news.clear()
            try:
                live = self._tick()
            except Exception:
                # A full disk, say. The jobs are in the table; the next look may do better.
                log.exception("cannot look after the jobs; tried again in %g s", PAUSE)
                self.over.wait(PAUSE)
                continue
            self._news.wait(LOOK if live else REST)

    def _tick(self) -> bool:
        """One look; returns whether another one is worth while soon."""
        live = self._store.live()
        problems = [self._problem(job) for job in live if job.state == "running"]
        live = self._store.live()
        for job in turns(live, self._limits.running):
            if self._store.begin(job.id):
                self._start(job, 1)
        if any(problems):
            raise OSError("; ".join(filter(None, problems)))
        return bool(live)

    def _problem(self, job: Job) -> str:
        """Looks at a job; what is wrong with one's folder, if so, keeps nobody else waiting."""
        try:
            self._look(job)
        except OSError as error:
            return f"job {job.id}: {error}"
        return ""

    def _look(self, job: Job) -> None:
        code = self._processes.exit_code(job.id, job.attempt)
        if code is not None and not self._processes.runs(job.id):
            self._ended(job, code)
        elif job.cancelling or self._late(job):
            if self._processes.end(job.id, job.attempt):
                self._stopped(job)
        elif not self._processes.runs(job.id) and self._processes.end(job.id, job.attempt):
            self._vanished(job)

    def _late(self, job: Job) -> bool:
        return time.time() - (job.started or 0.0) > self._limits.seconds

    def _ended(self, job: Job, code: int) -> None:
        if code == 0:
            self._end(job, "succeeded")
        elif job.cancelling or self._late(job):
            self._stopped(job)
        else:
            self._end(job, "failed", self._reason(job, code))

    def _stopped(self, job: Job) -> None:
        if job.cancelling:
            self._end(job, "cancelled")
        else:
            allowed = f"the {self._limits.seconds:g} s that this server allows"
            self._end(job, "failed", f"it ran longer than {allowed}")

    def _vanished(self, job: Job) -> None:
        """The launcher has gone without a word: with the machine, or killed."""
        # It may have said so between our two questions.
        if self._processes.exit_code(job.id, job.attempt) is not None:
            return
        if not self._processes.begun(job.id, job.attempt):
            self._start_again(job)
        elif job.attempt < ATTEMPTS:
            log.warning("job %s: its processes have vanished; it is run again", job.id)
            if self._store.begin_again(job.id):
                self._start(job, job.attempt + 1)
        else:
            self._end(job, "failed", f"its processes vanished {ATTEMPTS} times")

    def _start_again(self, job: Job) -> None:
        """No launcher has said that it runs: it died, or a server was killed before its start."""
        made = self._starts.get(job.id, _Starts(0, 0.0))
        if made.times >= STARTS:
            log.error("job %s: its launcher died %d times; is the disk full?", job.id, STARTS)
            self._end(job, "failed", "the server cannot start it")
        elif time.monotonic() - made.last >= PAUSE or not made.times:
            self._starts[job.id] = _Starts(made.times + 1, time.monotonic())
            self._start(job, job.attempt)

    def _start(self, job: Job, attempt: int) -> None:
        folder = self._processes.folder(job.id)
        try:
            if self._processes.start(job.id, attempt, self._made(job, folder)):
                log.info("job %s of %s begins, attempt %d", job.id, job.identity, attempt)
        except OSError as error:  # It is begun, and nothing runs: it is started again.
            log.error("job %s cannot be started: %s", job.id, error)
        except (DistkerasError, ValueError) as error:
            log.error("job %s cannot be started: %s", job.id, error)
            self._end(job, "failed", "the server cannot start it")

    def _made(self, job: Job, folder: Path) -> Sequence[str]:
        file = self._store.file(job.id)
        assert file is not None  # A job that is live is in the table.
        return self._command(file, folder)

    def _end(self, job: Job, state: str, error: str | None = None) -> None:
        # Before its end is told: who hears of it may look.
        self._processes.clear(job.id)
        self._starts.pop(job.id, None)
        if self._store.end(job.id, state, error):
            log.info("job %s of %s: %s %s", job.id, job.identity, state, error or "")

    def _reason(self, job: Job, code: int) -> str:
        try:
            said = (self._processes.folder(job.id) / ERROR).read_text(errors="replace")
        except OSError:
            said = ""
        line = " ".join(said.split())[:500]
        return line or f"its process ended with status {code}; its log may say why"
