"""How the vectors of an exchange are packed on the wire, one file each, and the table of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from distkeras.codecs.base import Buffer, Codec, Packed
from distkeras.codecs.bfloat16 import bfloat16
from distkeras.codecs.int8 import int8
from distkeras.codecs.raw import raw
from distkeras.codecs.top_k import MOST, top_k
from distkeras.errors import ConfigError

__all__ = [
    "CODECS",
    "NUMBERS",
    "RAW",
    "Buffer",
    "Codec",
    "Packed",
    "bfloat16",
    "codec_of",
    "int8",
    "raw",
    "top_k",
]

#: Every codec by its name, as a factory that needs no arguments.
CODECS: Mapping[str, Callable[[], Codec]] = {
    "none": raw,
    "bfloat16": bfloat16,
    "int8": int8,
    "top-k": top_k,
}
#: The codec of a training that names none.
RAW = raw()
#: Each codec's number in a frame, and its name.
NUMBERS: Mapping[int, str] = {make().number: name for name, make in CODECS.items()}


def codec_of(compression: Any) -> Codec:
    """The codec that a user asks for.

    Args:
        compression: None, a name in ``CODECS``, or "top-k:" and a fraction.

    Raises:
        ConfigError: if there is no such codec; the error quotes the value.
    """
    if compression is None:
        return RAW
    if isinstance(compression, str):
        name, colon, share = compression.partition(":")
        if name == "top-k" and colon and (fraction := _fraction(share)) is not None:
            return top_k(fraction)
        if name in CODECS and not colon:
            return CODECS[name]()
    raise ConfigError(
        f'compression is {compression!r}, but must be None, "bfloat16", "int8", "top-k" or '
        f'"top-k:FRACTION", a fraction above 0 and at most {MOST:g}'
    )


def _fraction(share: str) -> float | None:
    try:
        fraction = float(share)
    except ValueError:
        return None
    return fraction if 0 < fraction <= MOST else None
