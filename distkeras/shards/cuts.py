"""Where a vector is cut, and how a codec packs its slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from distkeras.codecs import Buffer, Codec
from distkeras.errors import ConfigError
from distkeras.vectors import Vector

__all__ = ["Cuts"]

#: Slices begin at a multiple of it where they are longer: the blocks of the int8 codec are then
#: those of the whole vector.
ALIGNED = 1024


@dataclass(frozen=True)
class Cuts:
    """Slices of about the same length.

    Attributes:
        size: P, elements of the whole vector.
        count: of slices, at most P.
    """

    size: int
    count: int

    def __post_init__(self) -> None:
        """Refuses slices without an element."""
        if not 1 <= self.count <= self.size:
            raise ConfigError(
                f"num_parameter_servers is {self.count}, but the model has {self.size} weights, "
                "and each server must have one"
            )

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """The places of the slices, in their order."""
        step = ALIGNED if self.size >= self.count * ALIGNED else 1
        bounds = [self.size * i // self.count // step * step for i in range(self.count)]
        return tuple(map(slice, bounds, [*bounds[1:], self.size]))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The elements of each slice."""
        return tuple(place.stop - place.start for place in self.slices)

    def codec(self, codec: Codec) -> Codec:
        """What packs each slice by itself, one after the other, for what a worker sends."""
        if not codec.lossy:
            return codec
        return Codec(
            codec.name,
            codec.number,
            partial(_length, codec, self),
            partial(_encode, codec, self),
            partial(_decode, codec, self),
        )

    def buffers(self, codec: Codec, buffer: Buffer) -> Iterator[Buffer]:
        """Views of the packed slices, in their order.

        Args:
            codec: of one slice.
            buffer: of all, as ``codec`` packs them.
        """
        start = 0
        for length in map(codec.length, self.sizes):
            yield buffer[start : start + length]
            start += length


def _length(codec: Codec, cuts: Cuts, size: int) -> int:
    return sum(map(codec.length, cuts.sizes))


def _encode(codec: Codec, cuts: Cuts, vector: Vector) -> Buffer:
    return np.concatenate([codec.encode(vector[place]) for place in cuts.slices])


def _decode(codec: Codec, cuts: Cuts, buffer: Buffer, size: int) -> Vector:
    vector = np.empty(size, np.float32)
    pieces = cuts.buffers(codec, buffer)
    for place, piece, length in zip(cuts.slices, pieces, cuts.sizes, strict=True):
        vector[place] = codec.decode(piece, length)
    return vector
