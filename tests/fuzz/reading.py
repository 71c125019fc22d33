"""What a stream of bytes says, by a reader of the tests' own: the frames, and where they end."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from distkeras.messages import HEADER, MAGIC, VERSION, Header, Kind

#: What every kind of frame is refused for that is none.
BROKEN = ("wrong magic", "wrong version", "wrong codec", "unknown kind", "too long")
KINDS = {int(kind) for kind in Kind}


class Frame(NamedTuple):
    """A frame that came whole."""

    header: Header
    payload: bytes

    @property
    def values(self) -> np.ndarray:
        """Of an update: the metrics and the vector."""
        return np.frombuffer(self.payload, np.float32)


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
    wrong = (magic != MAGIC, version != VERSION, codec != 0, kind not in KINDS, length > bound)
    return next((name for name, is_wrong in zip(BROKEN, wrong, strict=True) if is_wrong), None)


def _header(head: bytes) -> Header:
    _, _, kind, _, stop, *numbers = HEADER.unpack(head)
    return Header(Kind(kind), *numbers, stop=bool(stop))
