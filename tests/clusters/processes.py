"""What still runs: asked of the kernel."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def gone(pid: int) -> bool:
    """Whether there is no such process, or only what nobody has waited for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def processes_of(folder: Path) -> list[str]:
    """The commands that run and name this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(process.read_bytes().replace(b"\0", b" ").decode())
    return [command for command in found if str(folder) in command]
