"""Frames out of choices: mostly right, so that they come far, and wrong in one place or another."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from distkeras.codecs import NUMBERS as CODECS
from distkeras.codecs import RAW, Codec
from distkeras.messages import HEADER, NONCE, Header, Kind
from tests.linear import WIDTH, WORKERS

T = TypeVar("T")

#: Of fields: around everything that is a bound somewhere.
NUMBERS = (
    *(0, 1, 2, 4, 8, 9, 63, 64, 65, 2**16 - 1, 2**16, 2**16 + 1, 2**16 + 16, 2**16 + 17, 2**20),
    *(2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**40 + 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1),
)
#: Of vectors, losses and waits.
FLOATS = (0.0, 0.5, 1.0, -1.0, 3e38, -3e38, 1e-45, float("nan"), float("inf"), float("-inf"))
#: What a worker sends, and how often; then what it does not.
KINDS = (*[Kind.UPDATE] * 8, *[Kind.JOIN] * 5, Kind.LEAVE, *[Kind.FAIL] * 2, Kind.ALIVE)
OTHERS = (Kind.CHALLENGE, Kind.HELLO, Kind.PROVEN, Kind.WELCOME, Kind.ANSWER, Kind.DONE)
#: Of a header, what a worker may get wrong.
FIELDS = ("attempt", "epoch", "sequence", "rows", "wait", "cpu", "stop", "staleness", "codec")
#: Rows that the partitions have, where nothing else is chosen.
ROWS = 8
#: The loss and the vector.
VALUES = 1 + WIDTH


class Choices(Protocol):
    """Where the bytes of a frame come from; when they run out all is 0, which is nothing odd."""

    def below(self, count: int) -> int:
        """A number from 0 to ``count`` - 1."""

    def data(self, count: int) -> bytes:
        """At most so many bytes."""


class Seeded:
    """Choices that are the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, count: int) -> int:
        return self._random.randrange(count)

    def data(self, count: int) -> bytes:
        return self._random.randbytes(count)


class Known(NamedTuple):
    """What an author knows of a partition that has joined.

    Attributes:
        attempt: the newest.
        following: the window that is next.
        rows: in the partition.
    """

    attempt: int = 0
    following: int = 0
    rows: int = ROWS


class Author:
    """Writes what one connection sends.

    Args:
        choices: what to write.
        known: the partitions that have joined.
        odds: of so many frames, four are broken.
        codec: of the run.
    """

    def __init__(
        self, choices: Choices, known: Mapping[int, Known], odds: int, codec: Codec = RAW
    ) -> None:
        self._choices = choices
        self._odds = odds
        self._codec = codec
        self._known = dict(known)

    def stream(self) -> bytes:
        """Frames, one after the other; the last may be cut off."""
        frames = []
        while self._choices.below(24):
            frames.append(self._frame())
        return b"".join(frames)

    def handshake(self) -> bytes:
        """Instead of a proof: what somebody without the token may try."""
        way = self._choices.below(6)
        if way == 0:
            return self.stream()
        proof = self._choices.data(NONCE + 32).ljust(NONCE + 32, b"\0")
        if way == 1:
            proof = self._choices.data(self._number(2 * NONCE + 32))
        hello = framed(Header(Kind.HELLO, length=len(proof)), proof)
        return (self._damaged(hello) if way == 2 else hello) + self.stream()

    def _frame(self) -> bytes:
        way = self._choices.below(self._odds)
        if way == 4:
            return self._choices.data(self._choices.below(200))
        frame = framed(*self._message())
        if way == 1:
            return self._damaged(frame)
        if way == 2:
            return frame[: self._choices.below(len(frame))]
        if way == 3:  # A length that lies.
            return (
                frame[: HEADER.size - 8]
                + self._number().to_bytes(8, "little")
                + frame[HEADER.size :]
            )
        return frame

    def _damaged(self, frame: bytes) -> bytes:
        # Every other time in what says that it is a frame at all.
        span = 8 if self._choices.below(2) else len(frame)
        place, value = self._choices.below(span), self._choices.below(256)
        return frame[:place] + bytes([value]) + frame[place + 1 :]

    def _message(self) -> tuple[Header, bytes]:
        kind = self._pick(OTHERS) if self._rarely() else self._pick(KINDS)
        partition = self._partition()
        if partition not in self._known and self._choices.below(8):
            kind = Kind.JOIN
        known = self._known.get(partition, Known())
        if kind is Kind.JOIN:
            known = self._known[partition] = self._tried_again(known)
        attempt = 0 if self._rarely() else known.attempt
        header = Header(kind, partition, attempt, rows=known.rows)
        if kind is Kind.UPDATE:
            header = self._window(header, known)
        return self._odd(header) if self._rarely() else header, self._payload(kind)

    def _partition(self) -> int:
        if self._rarely():
            return self._number(2**32 - 1)
        if self._known and self._choices.below(4):
            return self._pick(tuple(self._known))
        return self._choices.below(WORKERS - 1)

    def _tried_again(self, known: Known) -> Known:
        newer = known.attempt + (self._choices.below(6) == 1)
        return known._replace(attempt=min(newer, 2**64 - 1))

    def _window(self, header: Header, known: Known) -> Header:
        again = bool(known.following) and not self._choices.below(6)
        sequence = known.following - again
        self._known[header.partition] = known._replace(following=sequence + 1)
        return header._replace(sequence=sequence, wait=0.25, codec=self._codec.number)

    def _odd(self, header: Header) -> Header:
        """With one field that is chosen freely."""
        field = self._pick(FIELDS)
        if field in ("wait", "cpu"):
            return header._replace(**{field: self._pick(FLOATS)})
        if field == "stop":
            return header._replace(stop=True)
        if field == "codec":
            return header._replace(codec=self._pick(tuple(CODECS)))
        limit = 2**32 - 1 if field in ("epoch", "staleness") else 2**64 - 1
        return header._replace(**{field: self._number(limit)})

    def _payload(self, kind: Kind) -> bytes:
        if kind is Kind.FAIL:
            return self._choices.data(self._choices.below(300))
        if kind is Kind.UPDATE and not self._rarely():
            values = [0.5] * VALUES
            while self._choices.below(2):
                values[self._choices.below(VALUES)] = self._pick(FLOATS)
            return self._packed(np.array(values, np.float32))
        return self._choices.data(self._choices.below(64)) if self._rarely() else b""

    def _packed(self, values: np.ndarray) -> bytes:
        vector = self._codec.encode(values[1:]).tobytes()
        if self._codec.lossy and not self._choices.below(8):
            vector = self._choices.data(len(vector)).ljust(len(vector), b"\0")
        return values[:1].tobytes() + vector

    def _number(self, limit: int = 2**64 - 1) -> int:
        return min(self._pick(NUMBERS), limit)

    def _rarely(self) -> bool:
        return self._choices.below(24) == 1

    def _pick(self, among: Sequence[T]) -> T:
        return among[self._choices.below(len(among))]


class Player:
    """What plays streams, and knows what must become of each frame; a context manager.

    Args:
        odds: of so many frames, four are broken; each ends its stream.

    Attributes:
        counts: frames by what became of them.
    """

    def __init__(self, odds: int) -> None:
        self._odds = odds
        self.counts: Counter[str] = Counter()


def framed(header: Header, payload: bytes = b"") -> bytes:
    """A frame with the length that it has."""
    return header._replace(length=len(payload)).pack() + payload
