"""The page's news, as server-sent events: what has changed since the page was last told.

An event ``jobs`` has the order of the user's jobs and those that have changed; ``job`` the one that
is looked at, with its curve; ``log`` what it has said since, and its place as the event's id, from
which a browser that has lost the connection goes on. ``ended`` and ``replaced`` are the last.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool

from distkeras.punchcard.job_folder import PROGRESS
from distkeras.punchcard.jobs import Job
from distkeras.punchcard.outputs import log_of, progress_of
from distkeras.punchcard.service import Service
from distkeras.punchcard.streams import Stream

__all__ = ["Wanted", "news"]

#: Seconds between two looks at what there is to tell.
LOOK = 0.5
#: Seconds without news after which a comment shows that the connection lives.
HEARTBEAT = 15.0
#: Seconds after which a stream ends, and the browser opens another one.
LIFE = 3600.0
#: Milliseconds after which it does so.
RETRY = 2000
#: Bytes of a log's end that a page begins with.
TAIL = 1 << 16
_LAST = 2**62


class Wanted(NamedTuple):
    """What a page wants to be told of.

    Attributes:
        identity: the user.
        most: of the user's jobs, the latest.
        job: the one that is looked at, with its log; None: none.
        offset: from which byte of the log on; below 0 from its end.
    """

    identity: str
    most: int
    job: str | None
    offset: int


async def news(
    service: Service, wanted: Wanted, stream: Stream, alive: Callable[[], bool]
) -> AsyncIterator[str]:
    """Events, until the session ends, the stream gives way to newer ones, or an hour has passed.

    Args:
        service: the server's parts.
        wanted: what the page wants to be told of.
        stream: the page's.
        alive: whether the session is still good.
    """
    seen = _Seen(service, wanted)
    yield f"retry: {RETRY}\n\n"
    begun = told = time.monotonic()
    while time.monotonic() - begun < LIFE and not service.streams.over:
        if stream.replaced:
            yield _event("replaced", {})
            return
        if not await run_in_threadpool(alive):
            yield _event("ended", {})
            return
        if found := await run_in_threadpool(seen.changes):
            told = time.monotonic()
            yield found
        elif time.monotonic() - told > HEARTBEAT:
            told = time.monotonic()
            yield ":\n\n"
        await asyncio.sleep(LOOK)


class _Seen:
    """What a page has been told."""

    def __init__(self, service: Service, wanted: Wanted) -> None:
        self._service, self._wanted = service, wanted
        self._offset = wanted.offset
        self._version = -1
        self._jobs: dict[str, tuple[object, dict[str, Any]]] = {}
        self._told: dict[str, dict[str, Any]] | None = None
        self._job: object = ()
        self._progress: dict[str, tuple[tuple[int, int], dict[str, Any] | None]] = {}

    def changes(self) -> str:
        """The events since the last call; reads the table and files."""
        # Before the table: what changes in between is found once more.
        version = self._service.store.version
        new = version != self._version
        if new:
            found = self._service.store.of(self._wanted.identity, _LAST, self._wanted.most)
            self._jobs = {job.id: self._parsed(job) for job in found}
        events = self._listed() + self._looked_at(new) + self._said()
        self._version = version
        return events

    def _parsed(self, job: Job) -> tuple[object, dict[str, Any]]:
        """What changes of a job, and what is told of it; its description may be long."""
        now = (job.state, job.attempt, job.cancelling, job.error, job.started, job.ended)
        before = self._jobs.get(job.id)
        return before if before is not None and before[0] == now else (now, job.told())

    def _listed(self) -> str:
        now = {name: told | self._short(told) for name, (_, told) in self._jobs.items()}
        before = self._told
        changed = [told for name, told in now.items() if (before or {}).get(name) != told]
        self._told = now
        if not changed and before is not None and list(before) == list(now):
            return ""
        more = len(now) == self._wanted.most
        return _event("jobs", {"order": list(now), "jobs": changed, "more": more})

    def _short(self, told: dict[str, Any]) -> dict[str, Any]:
        """How far a job that runs is, without its curve."""
        found = self._far(told["id"]) if told["state"] == "running" else None
        if found is None:
            return {"progress": None}
        return {"progress": {key: found.get(key) for key in ("phase", "rows", "total")}}

    def _looked_at(self, new: bool) -> str:
        name = self._wanted.job
        if name is None:
            return ""
        told = self._jobs[name][1] if name in self._jobs else None
        if told is None and new:  # An older one.
            found = self._service.store.job(name)
            told = None if found is None else found.told()
        elif told is None and isinstance(self._job, dict):
            told = {key: value for key, value in self._job.items() if key != "progress"}
        now = None if told is None else told | {"progress": self._far(name)}
        if now == self._job:
            return ""
        self._job = now
        return _event("job", now)

    def _far(self, name: str) -> dict[str, Any] | None:
        """How far a job is; its file is read when it has been replaced."""
        folder = self._service.processes.folder(name)
        version = _version(folder / PROGRESS)
        if name not in self._progress or self._progress[name][0] != version:
            found = progress_of(folder)
            self._progress[name] = version, None if found is None else found.model_dump()
        return self._progress[name][1]

    def _said(self) -> str:
        if self._wanted.job is None:
            return ""
        said = log_of(self._service.processes.folder(self._wanted.job), self._offset)
        if not said.text:
            return ""
        # A first line that begins in its middle is left out, unless it is all there is: a bar, say.
        middle = self._offset < 0 and said.next > -self._offset
        text = (said.text.partition("\n")[2] if middle else "") or said.text
        self._offset = said.next
        return _event("log", {"text": text}, said.next)


def _version(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino


def _event(kind: str, data: object, place: int | None = None) -> str:
    numbered = "" if place is None else f"id: {place}\n"
    return f"event: {kind}\n{numbered}data: {json.dumps(data)}\n\n"
