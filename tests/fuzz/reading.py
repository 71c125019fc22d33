"""What a stream of bytes says, by a reader of the tests' own: the frames, and where they end."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from distkeras.messages import HEADER, MAGIC, VERSION, Header, Kind

#: What every kind of frame is refused for that is none.
BROKEN = ("wrong magic", "wrong version", "wrong codec", "unknown kind", "too long")
KINDS = {int(kind) for kind in Kind}
CODECS = range(4)


class Frame(NamedTuple):
    """A frame that came whole."""

    header: Header
    payload: bytes

    @property
    def loss(self) -> float:
        """Of an update."""
        (loss,) = struct.unpack_from("<f", self.payload)
        return float(loss)

    def vector(self, size: int) -> np.ndarray:
        """Of an update, number by number: shape (``size``,)."""
        packed, codec = self.payload[4:], self.header.codec
        if codec == 1:
            upper = struct.unpack(f"<{size}H", packed)
            return np.array([one << 16 for one in upper], np.uint32).view(np.float32)
        if codec == 2:  # So few that they are one block.
            scale, *steps = struct.unpack(f"<f{size}b", packed)
            return np.array([np.float32(scale) * np.float32(step) for step in steps], np.float32)
        if codec == 3:
            half = len(packed) // 8
            told = struct.unpack(f"<{half}I{half}f", packed)
            found = dict(zip(told[:half], told[half:], strict=True))
            return np.array([found.get(place, 0) for place in range(size)], np.float32)
        return np.frombuffer(packed, np.float32)


def read(data: bytes, bound: int) -> tuple[list[Frame], str]:
    """The frames in ``data``, and what follows them.

    Args:
        data: a stream.
        bound: the longest payload that is believed.

    Returns:
        The whole frames; then "end", "cut off" or one of ``BROKEN``.
    """
    frames: list[Frame] = []
    while data:
        head = data[: HEADER.size]
        if len(head) < HEADER.size:
            return frames, "cut off"
        if (broken := _broken(head, bound)) is not None:
            return frames, broken
        *_, length = HEADER.unpack(head)
        payload = data[HEADER.size : HEADER.size + length]
        if len(payload) < length:
            return frames, "cut off"
        frames.append(Frame(_header(head), payload))
        data = data[HEADER.size + length :]
    return frames, "end"


def _broken(head: bytes, bound: int) -> str | None:
    magic, version, kind, codec, _, *_, length = HEADER.unpack(head)
    known = codec in CODECS
    wrong = (magic != MAGIC, version != VERSION, not known, kind not in KINDS, length > bound)
    return next((name for name, is_wrong in zip(BROKEN, wrong, strict=True) if is_wrong), None)


def _header(head: bytes) -> Header:
    _, _, kind, codec, stop, *numbers = HEADER.unpack(head)
    return Header(Kind(kind), *numbers, stop=bool(stop), codec=codec)
