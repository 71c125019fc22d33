"""Runs one job's command, and tells how it ended, whether or not the server still lives.

The server starts this file as a process of its own, in a session of its own, by path and without
the user's modules, so it needs the standard library only. It holds the lock of the job's folder
for as long as it lives, which the server opened: so a server that comes later knows that the job
runs, and no second one can run in its place.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

__all__ = ["Member", "main", "members", "process_file", "signal_members", "write_whole"]

#: Seconds that what a job has left running may take to end when it is told to.
GRACE = 5.0
_PIECE = 1 << 16


class Member(NamedTuple):
    """A process of a session.

    Attributes:
        pid: of the process.
        start: when it began, in the kernel's ticks since the machine did.
        session: the session that it is in.
    """

    pid: int
    start: int
    session: int


def process_file(folder: Path, attempt: int) -> Path:
    """Where an attempt's launcher says which process it is."""
    return folder / f"process-{attempt}.json"


def exit_file(folder: Path, attempt: int) -> Path:
    """Where an attempt's launcher says how it ended."""
    return folder / f"exit-{attempt}.json"


def write_whole(path: Path, value: object, *, durable: bool = True) -> None:
    """Writes JSON so that a reader sees all of it or what was there before.

    Args:
        path: of the file.
        value: its content.
        durable: whether it is to survive a loss of power.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w") as stream:
        json.dump(value, stream)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())
    os.replace(beside, path)


def member(pid: int) -> Member | None:
    """A process that runs; None where there is none, or only one that nobody has waited for."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name before it may hold anything, brackets included.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else Member(pid, int(fields[19]), int(fields[3]))


def members(session: int) -> list[Member]:
    """The processes of a session.

    Of a process group only some would be found: Spark's Python workers make one of their own.
    """
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    found = [member(pid) for pid in pids]
    return [one for one in found if one is not None and one.session == session]


def signal_members(found: list[Member], number: int) -> None:
    """Sends a signal to processes, unless another one has come in the place of one."""
    for one in found:
        if member(one.pid) == one:
            try:
                os.kill(one.pid, number)
            except ProcessLookupError:
                continue


def main(arguments: list[str]) -> int:
    """Runs ``folder attempt most_log_bytes command...``; returns the command's exit status."""
    folder, attempt, most = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    me = member(os.getpid())
    assert me is not None
    write_whole(process_file(folder, attempt), {"pid": me.pid, "start": me.start, "boot": boot()})
    with (folder / "log.txt").open("ab", buffering=0) as log:
        code = _run(arguments[3:], log, most)
    write_whole(exit_file(folder, attempt), {"code": code})
    return code


def boot() -> str:
    """Which start of the machine this is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _run(command: list[str], log: IO[bytes], most: int) -> int:
    nothing, pipe, both = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT
    try:
        process = subprocess.Popen(command, stdin=nothing, stdout=pipe, stderr=both)
    except OSError as error:
        log.write(f"{command[0]}: cannot be run: {error.strerror}\n".encode())
        return 127
    assert process.stdout is not None
    reader = threading.Thread(target=_copy, args=(process.stdout, log, most), daemon=True)
    reader.start()
    code = process.wait()
    _end_rest()
    reader.join(GRACE)
    return code


def _copy(source: IO[bytes], log: IO[bytes], most: int) -> None:
    """What the job says, up to so many bytes; the rest is dropped, but read: it must not block."""
    left = most
    while piece := os.read(source.fileno(), _PIECE):
        # A full disk costs lines of the log, and not the job.
        with suppress(OSError):
            if left > 0:
                log.write(piece[:left])
                if left <= len(piece):
                    log.write(f"\n[the log ends here: {most} bytes]\n".encode())
        left -= len(piece)


def _end_rest() -> None:
    """Ends what the command has left running."""
    deadline = time.monotonic() + GRACE
    number = signal.SIGTERM
    while rest := [one for one in members(os.getsid(0)) if one.pid != os.getpid()]:
        signal_members(rest, number)
        if time.monotonic() > deadline:
            number = signal.SIGKILL
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
