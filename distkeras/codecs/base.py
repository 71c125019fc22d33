"""What a codec is: a vector as bytes and back, and what it loses on the way.

A codec is two pure functions and a length. Vectors are flat float32 of shape (P,); what travels is
one buffer, uint8 of shape (length(P),), little-endian as everything on the wire. ``decode`` does
not believe its input: it comes from another machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from distkeras.errors import ProtocolError
from distkeras.vectors import Vector

__all__ = ["Buffer", "Codec", "Packed"]

#: Bytes as they travel: uint8, one axis.
Buffer = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Packed:
    """A vector on its way.

    Attributes:
        buffer: the bytes that travel.
        vector: what the other side makes of them, shape (P,).
    """

    buffer: Buffer
    vector: Vector


@dataclass(frozen=True)
class Codec:
    """A way to write a vector.

    Attributes:
        name: as a user asks for it.
        number: in the header of a frame.
        length: P -> bytes of the buffer.
        encode: vector -> buffer. A vector that is not finite gives one that decodes to such a
            vector, so that the server says what has happened.
        decode: (buffer of that length, P) -> vector; raises ``ProtocolError`` for what ``encode``
            never makes.
        lossy: whether the decoded vector may be another one.
        reply: the codec of what the server answers; None for this one.
    """

    name: str
    number: int
    length: Callable[[int], int]
    encode: Callable[[Vector], Buffer]
    decode: Callable[[Buffer, int], Vector]
    lossy: bool = True
    reply: Codec | None = None

    @property
    def answers(self) -> Codec:
        """The codec of what the server answers."""
        return self.reply or self

    def pack(self, vector: Vector) -> Packed:
        """The vector as it travels, and as it arrives."""
        buffer = self.encode(vector)
        return Packed(buffer, self.decode(buffer, len(vector)))

    def unpack(self, buffer: Buffer, size: int) -> Vector:
        """What has arrived, shape (``size``,).

        Raises:
            ProtocolError: if ``pack`` never makes such a buffer.
        """
        if buffer.nbytes != self.length(size):
            raise ProtocolError(
                f"{buffer.nbytes} bytes are not {size} numbers as {self.name}, which are "
                f"{self.length(size)} bytes"
            )
        return self.decode(buffer, size)
