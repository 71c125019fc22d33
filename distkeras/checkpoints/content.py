"""A checkpoint as bytes: a JSON header, arrays, and a checksum. Nothing is pickled.

``MAGIC``, the header's length (8 bytes, little-endian), the header (UTF-8), the arrays one after
the other as the header lists them, and the SHA-256 of all that.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from distkeras.conversation import Answer, Record
from distkeras.errors import DataError
from distkeras.members import Member, Snapshot
from distkeras.stopping import Validated
from distkeras.vectors import Vector

__all__ = ["Saved", "pack", "unpack"]

MAGIC = b"DKCHECK2"
_LENGTH = 8
_DIGEST = hashlib.sha256().digest_size
_PIECE = 1 << 20
#: Columns of the history before the metrics, as a Record has them.
_RECORD = (
    *("worker", "epoch", "window", "samples", "staleness"),
    *("exchange_wait", "timestamp", "cpu_seconds"),
)


class Saved(NamedTuple):
    """What a training can go on from.

    Attributes:
        identity: what the training is: another one must not go on from here.
        snapshot: of the server.
        validations: of the center so far.
        best: the best center so far, shape (P,); None where none is kept.
    """

    identity: Mapping[str, Any]
    snapshot: Snapshot
    validations: tuple[Validated, ...] = ()
    best: Vector | None = None


class _Arrays:
    """The arrays of a checkpoint, each once however often it is spoken of."""

    def __init__(self) -> None:
        self.all: list[npt.NDArray[Any]] = []
        self._places: dict[int, int] = {}

    def put(self, array: npt.NDArray[Any] | None) -> int | None:
        """Where the array is from now on."""
        if array is None:
            return None
        if id(array) not in self._places:
            self._places[id(array)] = len(self.all)
            self.all.append(np.ascontiguousarray(array))
        return self._places[id(array)]


def pack(saved: Saved) -> Iterator[bytes]:
    """The checkpoint in pieces of at most a mebibyte; the vectors are not copied at once."""
    arrays = _Arrays()
    header = _header(saved, arrays)
    header["arrays"] = [[array.dtype.str, list(array.shape)] for array in arrays.all]
    text = json.dumps(header).encode()
    digest = hashlib.sha256()
    for piece in _pieces([MAGIC, len(text).to_bytes(_LENGTH, "little"), text], arrays.all):
        digest.update(piece)
        yield piece
    yield digest.digest()


def unpack(pieces: Iterable[bytes]) -> Saved:
    """What ``pack`` packed.

    Raises:
        DataError: it was cut, changed, or is no checkpoint.
    """
    content = memoryview(b"".join(pieces))
    body, digest = content[:-_DIGEST], content[-_DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        raise DataError("damaged: its checksum is another one")
    if bytes(body[: len(MAGIC)]) != MAGIC:
        raise DataError("no checkpoint of this version")
    start = len(MAGIC) + _LENGTH
    length = int.from_bytes(body[len(MAGIC) : start], "little")
    header = json.loads(bytes(body[start : start + length]))
    return _saved(header, list(_read_arrays(header["arrays"], body[start + length :])))


def _pieces(heads: list[bytes], arrays: list[npt.NDArray[Any]]) -> Iterator[bytes]:
    yield from heads
    for array in arrays:
        content = array.reshape(-1).view(np.uint8)
        for start in range(0, len(content), _PIECE):
            yield content[start : start + _PIECE].tobytes()


def _read_arrays(listed: list[Any], content: memoryview) -> Iterator[npt.NDArray[Any]]:
    for kind, shape in listed:
        count = math.prod(shape)
        array = np.frombuffer(content, np.dtype(kind), count).reshape(shape)
        # A copy, so that none of them keeps the whole file in memory.
        yield array.copy()
        content = content[array.nbytes :]


def _header(saved: Saved, arrays: _Arrays) -> dict[str, Any]:
    snapshot = saved.snapshot
    return {
        "identity": dict(saved.identity),
        "center": arrays.put(snapshot.center),
        "state": [arrays.put(vector) for vector in snapshot.state],
        "clock": snapshot.clock,
        "rows_merged": snapshot.rows_merged,
        "members": {str(p): _of_member(known, arrays) for p, known in snapshot.members.items()},
        "history": arrays.put(_table(snapshot.history)),
        "validations": [one._asdict() for one in saved.validations],
        "best": arrays.put(saved.best),
    }


def _of_member(known: Member, arrays: _Arrays) -> dict[str, Any]:
    answer = known.answer
    return {
        "rows": known.rows,
        "adopted": arrays.put(known.adopted),
        "clock": known.clock,
        "sequence": known.sequence,
        "sent": arrays.put(known.sent),
        "answer": answer and [arrays.put(answer.vector), *answer[1:4]],
        "memory": [arrays.put(vector) for vector in known.memory],
    }


def _table(history: tuple[Record, ...]) -> npt.NDArray[np.float64]:
    rows = [[*(getattr(one, name) for name in _RECORD), *one.metrics] for one in history]
    return np.array(rows, np.float64).reshape(len(rows), -1 if rows else len(_RECORD))


def _saved(header: dict[str, Any], arrays: list[Vector]) -> Saved:
    snapshot = Snapshot(
        center=arrays[header["center"]],
        state=tuple(arrays[place] for place in header["state"]),
        clock=header["clock"],
        rows_merged=header["rows_merged"],
        members={int(p): _member(known, arrays) for p, known in header["members"].items()},
        history=tuple(_records(arrays[header["history"]])),
    )
    best = header["best"]
    return Saved(
        header["identity"],
        snapshot,
        tuple(Validated(**one) for one in header["validations"]),
        None if best is None else arrays[best],
    )


def _member(known: dict[str, Any], arrays: list[Vector]) -> Member:
    found = Member(-1, known["rows"], arrays[known["adopted"]], known["clock"], known["sequence"])
    if known["sent"] is None:
        return found
    vector, *rest = known["answer"]
    return replace(
        found,
        sent=arrays[known["sent"]],
        answer=Answer(arrays[vector], *rest),
        memory=tuple(arrays[place] for place in known["memory"]),
    )


def _records(table: npt.NDArray[Any]) -> Iterator[Record]:
    for row in table.tolist():
        worker, epoch, window, samples, staleness = map(int, row[:5])
        told = row[5:8]
        yield Record(worker, epoch, window, samples, tuple(row[8:]), staleness, *told)
