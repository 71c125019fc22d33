"""Whether a file is a Keras model, of Keras' own parts, and no larger than it says.

Neither Keras nor HDF5 reads it here: they are a great deal of code for bytes from elsewhere, and
the server holds everybody's secrets. The weights are looked at in the job's own process.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from distkeras.configurations import check_configuration
from distkeras.errors import ConfigError

__all__ = ["check_model_file"]

#: What is in a model's file, and how many bytes of it at most; None: as the whole.
MEMBERS = {"config.json": 4 << 20, "metadata.json": 64 << 10, "model.weights.h5": None}
WEIGHTS = "model.weights.h5"
#: How an HDF5 file begins.
HDF5 = b"\x89HDF\r\n\x1a\n"
#: The record at the end of a zip file that has no comment.
END = struct.Struct("<4s4H2LH")
#: Before it in a large one: a record that Python takes in its place, and one that says where it is.
LARGE, WHERE = struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
#: Bytes of its directory: of three short names.
MOST_DIRECTORY = 4096


def check_model_file(path: Path, most_bytes: int) -> None:
    """Refuses what is no ``.keras`` file, or asks for more than Keras' own parts.

    Args:
        path: of a local file.
        most_bytes: that may be packed in it.

    Raises:
        ConfigError: one line that says what is wrong.
    """
    _check_directory(path)
    try:
        with ZipFile(path) as archive:
            _check_members(archive.infolist(), most_bytes)
            for name in ("metadata.json", "config.json"):
                check_configuration(_json(archive, name), f"model: {name}")
            with archive.open(WEIGHTS) as weights:
                if weights.read(len(HDF5)) != HDF5:
                    raise ConfigError(f"model: {WEIGHTS} is no HDF5 file")
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, struct.error):
        raise ConfigError("model: is no .keras file: its zip is damaged") from None


def _check_directory(path: Path) -> None:
    """Before Python reads the directory of a zip file, which it does whole, however large."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - LARGE.size - WHERE.size - END.size))
        before = stream.read()
    before, tail = before[: -END.size], before[-END.size :]
    if len(tail) < END.size or not tail.startswith(b"PK\x05\x06"):
        raise ConfigError("model: is no .keras file: no zip ends there")
    _, _, _, here, members, directory, _, comment = END.unpack(tail)
    if before[-WHERE.size :].startswith(b"PK\x06\x07"):
        here, members, directory = _large(before, size - len(before) - END.size)
    if members != len(MEMBERS) or here != members or comment:
        raise ConfigError(f"model: is no .keras file: must hold {', '.join(MEMBERS)}, and no more")
    if directory > MOST_DIRECTORY:
        raise ConfigError("model: is no .keras file: the directory of its zip is too large")


def _large(records: bytes, start: int) -> tuple[int, int, int]:
    """What a large zip file says of its directory; Python's versions look for it in two places."""
    _, _, at, _ = WHERE.unpack(records[-WHERE.size :])
    record = records[: -WHERE.size]
    if len(record) != LARGE.size or at != start or not record.startswith(b"PK\x06\x06"):
        raise ConfigError("model: is no .keras file: its zip is damaged")
    *_, here, members, directory, _ = LARGE.unpack(record)
    return here, members, directory


def _check_members(members: list[ZipInfo], most_bytes: int) -> None:
    if sorted(one.filename for one in members) != sorted(MEMBERS):
        raise ConfigError(f"model: is no .keras file: must hold {', '.join(MEMBERS)}, and no more")
    for one in members:
        most = MEMBERS[one.filename] or most_bytes
        if one.file_size > most:
            raise ConfigError(
                f"model: {one.filename} unpacks to {one.file_size} bytes, more than {most}"
            )
        if one.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or one.flag_bits & 1:
            raise ConfigError(f"model: {one.filename} is packed in a way that Keras does not use")


def _json(archive: ZipFile, name: str) -> Any:
    # A member's stream ends at the size that the directory says.
    with archive.open(name) as stream:
        text = stream.read()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"model: {name} is no JSON") from None
