"""int8: blocks of 1,024 weights with a scale each; 1 byte a weight and 4 a block.

s = max|x| / 127 over the block; q = round(x / s), from -127 to 127; decoded: s q. So
|x - decoded| <= s / 2 but for float32's own rounding: an error that is the same for the large and
the small numbers of a block, which the worker keeps and sends later (``codecs.sides``).

A block whose largest number is below 2^-119 is sent as 0. One with a NaN or an infinity has the
scale NaN, so that the vector is not finite on the other side either.

Take it where bfloat16 still leaves the workers waiting: a quarter of the bytes.

Source: Dettmers, "8-Bit Approximations for Parallelism in Deep Learning", ICLR 2016;
arXiv:1511.04561. Blocks with a scale each: Alistarh et al., "QSGD", NIPS 2017 (there:
buckets); arXiv:1610.02132.

Differs from the papers: linear steps where the first has a data type of its own with an exponent,
and rounding to the nearest where the second draws: what is lost is not lost, but sent later.

>>> import numpy as np
>>> int8().pack(np.float32([1, -127, 0.25])).vector.tolist()
[1.0, -127.0, 0.0]
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from distkeras.codecs.base import Buffer, Codec
from distkeras.errors import ProtocolError
from distkeras.vectors import Vector

__all__ = ["BLOCK", "int8"]

#: Weights that have one scale.
BLOCK = 1024
#: Blocks that are worked on at once, so that they stay in the processor's cache.
AT_ONCE = 64
#: The largest step; -128 is not used, so that x and -x are the same but for the sign.
STEPS = np.float32(127)


def int8() -> Codec:
    """The codec; it has no parameters."""
    return Codec("int8", 2, length, encode, decode)


def length(size: int) -> int:
    """The scales, float32, then a byte for each weight."""
    return 4 * blocks(size) + size


def blocks(size: int) -> int:
    """The number of blocks; the last may be shorter."""
    return -(-size // BLOCK)


def encode(vector: Vector) -> Buffer:
    """Scales and steps."""
    buffer = np.empty(length(len(vector)), np.uint8)
    scales, steps = _parts(buffer, len(vector))
    low = np.minimum.reduceat(vector, np.arange(0, len(vector), BLOCK))
    high = np.maximum.reduceat(vector, np.arange(0, len(vector), BLOCK))
    np.divide(np.maximum(high, -low), STEPS, out=scales)
    # Below, 1 / s would be infinite.
    scales[scales < np.finfo(np.float32).tiny] = 0
    scales[np.isinf(scales)] = np.nan
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
    with np.errstate(invalid="ignore"):  # An infinity times 0: its scale says NaN.
        for values, whole, factor in _pieces(vector, steps, inverse):
            scaled = values * factor
            whole[...] = np.rint(scaled, out=scaled)
    return buffer


def decode(buffer: Buffer, size: int) -> Vector:
    """S q, block by block.

    Raises:
        ProtocolError: for a scale below 0, or an infinite one.
    """
    scales, steps = _parts(buffer, size)
    wrong = (scales < 0) | np.isinf(scales)
    if wrong.any():
        block = int(np.argmax(wrong))
        raise ProtocolError(f"the scale of block {block} is {scales[block]}, not at least 0")
    vector = np.empty(size, np.float32)
    for values, whole, factor in _pieces(vector, steps, scales):
        np.multiply(whole, factor, out=values)
    return vector


def _parts(buffer: Buffer, size: int) -> tuple[Vector, npt.NDArray[np.int8]]:
    """Views of the scales and of the steps."""
    split = 4 * blocks(size)
    return buffer[:split].view(np.float32), buffer[split:].view(np.int8)


def _pieces(
    values: Vector, steps: npt.NDArray[np.int8], factors: Vector
) -> Iterator[tuple[Vector, npt.NDArray[np.int8], Vector]]:
    """Views of some blocks at a time, and the factor of each of their numbers."""
    span = BLOCK * AT_ONCE
    whole = len(values) - len(values) % BLOCK
    for start in range(0, whole, span):
        rows = slice(start, min(start + span, whole))
        factor = factors[rows.start // BLOCK : rows.stop // BLOCK, None]
        yield values[rows].reshape(-1, BLOCK), steps[rows].reshape(-1, BLOCK), factor
    if whole < len(values):
        yield values[whole:], steps[whole:], factors[-1:]
