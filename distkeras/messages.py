"""Frames: a typed header of fixed size and a raw buffer.

A frame is ``HEADER`` (little-endian, 60 bytes) and then ``length`` bytes of payload. The payload
of an update is the metrics (float32 each) and then the vector (float32, P elements); of an
answer or a welcome, the vector; of a failure or a refusal, UTF-8 text. The vector of an update or
an answer is packed by the run's codec, whose number the header names. Nothing is pickled, and a
length is believed only below a bound that the reader knows.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from enum import IntEnum
from typing import NamedTuple

from distkeras.codecs import NUMBERS
from distkeras.errors import ProtocolError

__all__ = ["HEADER", "MAX_TEXT", "NONCE", "Header", "Kind", "proof"]

MAGIC = b"DKPS"
VERSION = 3
#: magic, version, kind, codec, stop, partition, attempt, epoch, sequence, rows, staleness, wait,
#: cpu, length
HEADER = struct.Struct("<4sBBBBIQIQQIffQ")
#: Bytes of a challenge.
NONCE = 32
#: Bytes of text that a frame may carry: a traceback, not a book.
MAX_TEXT = 64 * 1024


class Kind(IntEnum):
    """What a frame is for; the first three are the handshake.

    PATIENCE says that the server waits for other workers and has not forgotten this one; ALIVE
    that a worker is still at work. From COMMIT on they are for a shard (``shards``): COMMIT has a
    window merged that came with UPDATE, and MARK, CENTER and STATE are the driver's.
    """

    CHALLENGE = 1
    HELLO = 2
    PROVEN = 3
    JOIN = 4
    WELCOME = 5
    UPDATE = 6
    ANSWER = 7
    LEAVE = 8
    FAIL = 9
    DONE = 10
    REFUSED = 11
    PATIENCE = 12
    ALIVE = 13
    COMMIT = 14
    MARK = 15
    CENTER = 16
    STATE = 17


class Header(NamedTuple):
    """The header of a frame; each kind fills what it needs.

    Attributes:
        kind: what the frame is for.
        partition: the worker's partition of the data, from 0.
        attempt: which try at that partition; a larger one supersedes a smaller one.
        epoch: from 0.
        sequence: the window's number within the partition, from 0, over all epochs; in JOIN, of
            a shard, the one that the coordinator expects next.
        rows: rows in the window; in JOIN, rows in the partition; in WELCOME and ANSWER, rows that
            were merged into the center so far.
        staleness: in ANSWER, see ``conversation.Answer``.
        wait: seconds that the worker stood still for its last exchange.
        cpu: in UPDATE, see ``conversation.Update``.
        length: bytes of payload that follow.
        stop: in WELCOME and ANSWER, whether the worker is to train no further window.
        codec: in UPDATE and ANSWER, the number of what the vector is packed with.
    """

    kind: Kind
    partition: int = 0
    attempt: int = 0
    epoch: int = 0
    sequence: int = 0
    rows: int = 0
    staleness: int = 0
    wait: float = 0.0
    cpu: float = 0.0
    length: int = 0
    stop: bool = False
    codec: int = 0

    def pack(self) -> bytes:
        """The 60 bytes that travel."""
        kind, *numbers, stop, codec = self
        return HEADER.pack(MAGIC, VERSION, kind, codec, stop, *numbers)

    @classmethod
    def unpack(cls, data: bytes | bytearray | memoryview) -> Header:
        """Reads 60 bytes.

        Raises:
            ProtocolError: if they are not a header of this version.
        """
        magic, version, kind, codec, stop, *numbers = HEADER.unpack(data)
        if magic != MAGIC:
            raise ProtocolError(f"frame starts with {magic!r}, not {MAGIC!r}")
        if version != VERSION:
            raise ProtocolError(f"frame has version {version}, not {VERSION}")
        if codec not in NUMBERS:
            raise ProtocolError(f"frame has codec {codec}, which is unknown")
        try:
            return cls._make((Kind(kind), *numbers, bool(stop), codec))
        except ValueError:
            raise ProtocolError(f"frame has kind {kind}, which is unknown") from None


def proof(token: bytes, role: bytes, *nonces: bytes) -> bytes:
    """32 bytes that only somebody who knows the run's token can make.

    Args:
        token: the run's secret.
        role: who proves, so that a proof cannot be sent back to its maker.
        nonces: both sides' challenges, in the order server, client.
    """
    return hmac.new(token, role + b"".join(nonces), hashlib.sha256).digest()
