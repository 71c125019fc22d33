"""What a job has to show: how far it is, what it says, and its results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from distkeras.punchcard.job_folder import LOG, PROGRESS
from distkeras.punchcard.told import Far
from distkeras.storage import Place, exists, files_of

__all__ = ["RESULT", "Said", "log_of", "progress_of", "results_of", "stream_of"]

#: The names that a result may have.
RESULT = re.compile(r"model(-[0-9]{1,4})?\.keras|history\.parquet|report\.json|preprocessor\.json")
#: Bytes of a log in one answer.
_LOG_BYTES = 1 << 18


class Said(NamedTuple):
    """A piece of a log.

    Attributes:
        text: what was said.
        next: where the next piece begins, in bytes.
    """

    text: str
    next: int


def progress_of(folder: Path) -> Far | None:
    """How far a job is; None where it has not said."""
    try:
        return Far.model_validate_json((folder / PROGRESS).read_bytes())
    except (OSError, ValueError):  # pydantic's own are among these.
        return None


def log_of(folder: Path, offset: int) -> Said:
    """What a job has said from a place on; no more than fits into an answer.

    Args:
        folder: of the job.
        offset: in bytes; below 0: so many from the end.
    """
    try:
        with (folder / LOG).open("rb") as stream:
            size = stream.seek(0, 2)
            start = max(0, size + offset) if offset < 0 else min(offset, size)
            stream.seek(start)
            piece = stream.read(_LOG_BYTES)
    except OSError:
        return Said("", max(0, offset))
    if start + len(piece) < size or not piece.endswith(b"\n"):
        # No line, and no character, is cut where that can be helped.
        piece = piece[: piece.rfind(b"\n") + 1] or piece
    return Said(piece.decode(errors="replace"), start + len(piece))


def results_of(artifacts: Place, name: str) -> dict[str, int]:
    """The names of a job's results, and their sizes in bytes.

    Raises:
        StorageError: the storage does not answer.
    """
    folder = artifacts / name
    if not exists(folder):
        return {}
    found = files_of(folder).entries(str(folder))
    return {entry.name: entry.size for entry in found if RESULT.fullmatch(entry.name)}


def stream_of(artifacts: Place, name: str, result: str) -> Iterator[bytes]:
    """The content of a result, in pieces."""
    place = artifacts / name / result
    return files_of(place).read(str(place))
