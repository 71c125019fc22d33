"""Jobs as processes: started once, found again by a later server, ended with all that they started.

Each has a launcher, which holds a lock on the job's folder for as long as it lives. The lock is
taken before the launcher is there and handed down to it, so there is no moment in which a job
runs and does not hold it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from distkeras.punchcard import launcher
from distkeras.punchcard.job_folder import MODEL
from distkeras.punchcard.launcher import exit_file, member, members, process_file, signal_members

__all__ = ["Processes"]

#: Seconds from the request to end to the kill of what is still there.
TERM_SECONDS = 4.0
#: Bytes of a job's log that are kept.
LOG_BYTES = 16 << 20


class Processes:
    """The jobs' processes of one server.

    Args:
        folder: of all jobs; each has one in it.

    Attributes:
        root: this folder.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self._asked: dict[str, float] = {}
        self._children: list[subprocess.Popen[bytes]] = []
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def folder(self, name: str) -> Path:
        """Of a job, by its id."""
        return self.root / name

    def names(self) -> list[str]:
        """The ids of all jobs that have a folder."""
        return sorted(path.name for path in self.root.iterdir())

    def remove(self, name: str) -> None:
        """Removes a job's folder."""
        shutil.rmtree(self.folder(name), ignore_errors=True)

    def clear(self, name: str) -> None:
        """Removes what a job that has ended needs no more: its model."""
        with suppress(OSError):
            (self.folder(name) / MODEL).unlink()

    def written(self, name: str) -> float:
        """When something was last written in a job's folder, in seconds since 1970; 0 if never."""
        with suppress(OSError):  # It is not there, or is removed meanwhile.
            return max((one.stat().st_mtime for one in self.folder(name).iterdir()), default=0.0)
        return 0.0

    def start(self, name: str, attempt: int, command: Sequence[str]) -> bool:
        """Starts a job's command, unless it runs; returns whether it was started.

        Raises:
            OSError: it cannot be started.
        """
        folder = self.folder(name)
        with _lock(folder) as descriptor:
            if descriptor is None:
                return False
            start = [sys.executable, "-I", "-S", launcher.__file__, str(folder), str(attempt)]
            process = subprocess.Popen(
                [*start, str(LOG_BYTES), *command],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(descriptor,),
                start_new_session=True,
            )
            self._children.append(process)
        return True

    def runs(self, name: str) -> bool:
        """Whether a job's launcher lives, whichever server has started it."""
        # So that none of our own stays a zombie.
        self._children = [child for child in self._children if child.poll() is None]
        if not self.folder(name).exists():
            return False
        with _lock(self.folder(name)) as descriptor:
            return descriptor is None

    def begun(self, name: str, attempt: int) -> bool:
        """Whether the attempt's launcher ever ran."""
        return process_file(self.folder(name), attempt).exists()

    def exit_code(self, name: str, attempt: int) -> int | None:
        """How an attempt ended; None where it has not, or could not say."""
        try:
            return int(json.loads(exit_file(self.folder(name), attempt).read_bytes())["code"])
        except (OSError, ValueError):
            return None

    def end(self, name: str, attempt: int) -> bool:
        """Ends all that an attempt has started: asked to, and killed four seconds later.

        To be called again until it returns that nothing is left.
        """
        session = self._session(name, attempt)
        found = [] if session is None else members(session)
        if not found:
            self._asked.pop(name, None)
            return not self.runs(name)
        if name not in self._asked:
            self._asked[name] = time.monotonic() + TERM_SECONDS
            # Not the launcher: it tells how the others ended.
            signal_members([one for one in found if one.pid != session], signal.SIGTERM)
        elif time.monotonic() > self._asked[name]:
            signal_members(found, signal.SIGKILL)
        return False

    def _session(self, name: str, attempt: int) -> int | None:
        """An attempt's session, whose number is its launcher's; None if another has it by now."""
        try:
            said = json.loads(process_file(self.folder(name), attempt).read_bytes())
        except (OSError, ValueError):
            return None
        leader = member(said["pid"])
        reused = leader is not None and leader.start != said["start"]
        return None if reused or said["boot"] != launcher.boot() else int(said["pid"])


@contextmanager
def _lock(folder: Path) -> Iterator[int | None]:
    """The lock of a job's folder; None where somebody has it. Who inherits it keeps it."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)
