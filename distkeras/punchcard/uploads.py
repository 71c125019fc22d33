"""A model on its way in: to a file of its own, checked, and only then the job's."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool

from distkeras.errors import ConfigError
from distkeras.punchcard.checks import check_model_file
from distkeras.punchcard.job_file import ModelPart
from distkeras.punchcard.job_folder import MODEL, UPLOAD
from distkeras.punchcard.store import DiskFullError

__all__ = ["check_room", "receive_model"]

#: Of a disk, or of what one user or process may have of it.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def check_room(folder: Path, size: int, left: int) -> None:
    """Refuses what would leave too little of a disk.

    Args:
        folder: on the disk.
        size: bytes that are to come.
        left: bytes that are to be free then.

    Raises:
        DiskFullError: there are not as many.
    """
    if shutil.disk_usage(folder).free < size + left:
        raise DiskFullError(f"{folder}: {size} bytes would leave less than {left} bytes free")


async def receive_model(
    pieces: AsyncIterator[bytes], folder: Path, expected: ModelPart, most_bytes: int
) -> None:
    """Puts a model into a job's folder, whole and checked, or leaves nothing.

    Args:
        pieces: of the file.
        folder: of the job; made where it is not there.
        expected: what was said of the file before.
        most_bytes: that may be packed in it.

    Raises:
        ConfigError: it is another file, or no model that is accepted.
        DiskFullError: there is no room for it.
        HTTPException: it is longer than was said, or its job was forgotten meanwhile.
    """
    await run_in_threadpool(folder.mkdir, mode=0o700, exist_ok=True)
    # Two attempts of a client may be under way at the same time.
    staged = folder / f"{UPLOAD}{secrets.token_hex(8)}"
    try:
        with staged.open("wb") as stream:
            digest = await _copied(pieces, stream, expected.bytes)
        if digest != expected.sha256:
            raise ConfigError("model: is not the file whose SHA-256 the job has")
        await run_in_threadpool(check_model_file, staged, most_bytes)
        os.replace(staged, folder / MODEL)
    except FileNotFoundError:  # Another attempt was refused.
        raise HTTPException(404, "there is no such job") from None
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError(f"{folder}: {error.strerror}") from None
        raise
    finally:
        staged.unlink(missing_ok=True)


async def _copied(pieces: AsyncIterator[bytes], stream: IO[bytes], expected: int) -> str:
    """The SHA-256 of what has come."""
    digest, seen = hashlib.sha256(), 0

    def add(piece: bytes) -> None:
        stream.write(piece)
        digest.update(piece)

    async for piece in pieces:
        seen += len(piece)
        if seen > expected:
            more = f"model: has more than the {expected} bytes that it was to have"
            raise HTTPException(413, more, {"Connection": "close"})
        await run_in_threadpool(add, piece)
    if seen != expected:
        raise ConfigError(f"model: has {seen} bytes, not {expected}")
    await run_in_threadpool(_flush, stream)
    return digest.hexdigest()


def _flush(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())
