"""top-k: the largest weights of the vector alone, with their places; 8 bytes for each of them.

Sent are the k = ceil(fraction P) numbers with the largest |x|, as they are, and their places in
ascending order; all others are 0 on the other side, and stay with the worker until they are among
the largest (``codecs.sides``): without that most weights would never be trained.

The server's answer is the difference that all other workers have made, which is not sparse: it
comes as bfloat16. So an exchange has 8 k + 2 P bytes instead of 8 P: a little more than a quarter.

Take it where the way to the server is the narrow one, with many workers on one port; it needs more
windows than the others for the same accuracy.

Source: Aji, Heafield, "Sparse Communication for Distributed Gradient Descent", EMNLP 2017;
arXiv:1704.05021. That it converges, with what is lost sent later: Stich, Cordonnier, Jaggi,
"Sparsified SGD with Memory", NeurIPS 2018, algorithm 1; arXiv:1809.07599.

Differs from the papers: what is made sparse is a worker's difference after a window of local
steps, not a gradient, as in Basu et al., "Qsparse-local-SGD", NeurIPS 2019; arXiv:1906.02367.

>>> import numpy as np
>>> top_k(0.5).pack(np.float32([1, -4, 2, 3])).vector.tolist()
[0.0, -4.0, 0.0, 3.0]
"""

from __future__ import annotations

from functools import partial
from math import ceil

import numpy as np

from distkeras.codecs.base import Buffer, Codec
from distkeras.codecs.bfloat16 import bfloat16
from distkeras.errors import ProtocolError
from distkeras.vectors import Vector

__all__ = ["DEFAULT", "MOST", "top_k"]

#: The fraction where none is given.
DEFAULT = 0.01
#: The fraction with which the vector is as long as without a codec.
MOST = 0.5


def top_k(fraction: float = DEFAULT) -> Codec:
    """The codec for this share of the weights.

    Args:
        fraction: of P that travels with an exchange, above 0 and at most 0.5.
    """
    return Codec(
        f"top-k:{fraction:g}",
        3,
        partial(length, fraction=fraction),
        partial(encode, fraction=fraction),
        partial(decode, fraction=fraction),
        reply=bfloat16(),
    )


def count(size: int, fraction: float) -> int:
    """K: at least one."""
    return max(1, ceil(size * fraction))


def length(size: int, fraction: float) -> int:
    """The places, uint32, then the numbers, float32."""
    return 8 * count(size, fraction)


def encode(vector: Vector, fraction: float) -> Buffer:
    """Places and numbers; a NaN is larger than any number."""
    kept = count(len(vector), fraction)
    places = np.argpartition(np.abs(vector), len(vector) - kept)[-kept:].astype(np.uint32)
    places.sort()
    return np.concatenate([places.view(np.uint8), vector[places].view(np.uint8)])


def decode(buffer: Buffer, size: int, fraction: float) -> Vector:
    """0 but for the places that came.

    Raises:
        ProtocolError: for a place beyond the vector, twice the same, or out of order.
    """
    half = 4 * count(size, fraction)
    places = buffer[:half].view(np.uint32)
    if not (places[1:] > places[:-1]).all() or places[-1] >= size:
        raise ProtocolError(f"the places of the largest of {size} numbers are not in order")
    vector = np.zeros(size, np.float32)
    vector[places] = buffer[half:].view(np.float32)
    return vector
