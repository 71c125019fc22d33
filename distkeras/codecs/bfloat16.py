"""bfloat16: the upper half of each float32, rounded; 2 bytes a weight.

Eight bits of mantissa stay of 24, all of the exponent: |x - decoded| <= 2^-8 |x|, for any x that is
no denormal. Rounds to the nearest, and to the even one of two that are equally near, so that the
errors of many numbers cancel.

Take it first: it halves the bytes, and its error is small beside that of a mini-batch.

Source: Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training", 2019;
arXiv:1905.12322.

Differs from the paper: nothing. What is packed here is a difference of weights, never a weight:
see ``codecs.sides``.

>>> import numpy as np
>>> bfloat16().pack(np.float32([1, 1.0039062, 1.0117188, -3])).vector.tolist()
[1.0, 1.0, 1.015625, -3.0]
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from distkeras.codecs.base import Buffer, Codec
from distkeras.vectors import Vector

__all__ = ["bfloat16"]

#: One of the patterns that say "no number".
NAN = 0x7FC0
#: Numbers that are worked on at once, so that they stay in the processor's cache.
AT_ONCE = 2**16


def bfloat16() -> Codec:
    """The codec; it has no parameters."""
    return Codec("bfloat16", 1, length, encode, decode)


def length(size: int) -> int:
    """2 P."""
    return 2 * size


def encode(vector: Vector) -> Buffer:
    """Some numbers at a time."""
    halves = np.empty(len(vector), np.uint16)
    for start in range(0, len(vector), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        halves[part] = _rounded(vector[part])
    return halves.view(np.uint8)


def decode(buffer: Buffer, size: int) -> Vector:
    """Bits << 16."""
    bits = np.empty(size, np.uint32)
    np.left_shift(buffer.view(np.uint16), np.uint32(16), out=bits, dtype=np.uint32)
    return bits.view(np.float32)


def _rounded(vector: Vector) -> npt.NDArray[np.uint32]:
    """(bits + 0x7FFF + the lowest bit that stays) >> 16."""
    bits = vector.view(np.uint32)
    rounded = bits >> np.uint32(16)
    rounded &= np.uint32(1)
    rounded += bits
    rounded += np.uint32(0x7FFF)
    rounded >>= np.uint32(16)
    # The sum above would carry a NaN over into the sign.
    nan = np.isnan(vector)
    if nan.any():
        rounded[nan] = NAN
    return rounded
