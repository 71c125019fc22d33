"""Model weights as one flat vector: the only shape in which weights travel and are merged."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import numpy.typing as npt

from distkeras.errors import ConfigError

__all__ = ["Layout", "Vector", "all_finite"]

#: A flat float32 vector of shape (P,), P being the number of parameters.
Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Layout:
    """Where each weight array lies in the flat vector.

    Attributes:
        shapes: the shape of each array, in the order in which the arrays are laid out.
    """

    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, arrays: Sequence[npt.NDArray[np.floating]]) -> Layout:
        """The layout of these arrays, in this order."""
        return cls(tuple(tuple(array.shape) for array in arrays))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The number of elements of each array."""
        return tuple(prod(shape) for shape in self.shapes)

    @cached_property
    def size(self) -> int:
        """P, the number of elements of the vector."""
        return sum(self.sizes)

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that two sides compare to know that they speak of the same model."""
        return hashlib.sha256(repr(self.shapes).encode()).digest()

    def flatten(self, arrays: Sequence[npt.NDArray[np.floating]]) -> Vector:
        """Copies the arrays into one new vector of shape (P,), float32.

        Raises:
            ConfigError: if the arrays do not have this layout's shapes.
        """
        given = tuple(tuple(array.shape) for array in arrays)
        if given != self.shapes:
            raise ConfigError(f"weights have shapes {given}, but the layout has {self.shapes}")
        vector = np.empty(self.size, np.float32)
        for array, view in zip(arrays, self.unflatten(vector), strict=True):
            view[...] = array
        return vector

    def unflatten(self, vector: Vector) -> list[Vector]:
        """Views into the vector, one for each array, in the shapes of the layout.

        Raises:
            ConfigError: if the vector's shape is not (P,).
        """
        if vector.shape != (self.size,):
            raise ConfigError(f"vector has shape {vector.shape}, but the layout has {self.size}")
        parts = np.split(vector, np.cumsum(self.sizes)[:-1]) if self.shapes else []
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]


def all_finite(vector: Vector) -> bool:
    """Whether no element of the vector, shape (P,), is NaN or infinite."""
    # A sum needs no memory, which a mask would. It is finite only where all elements are, and may
    # be infinite where they are finite.
    with np.errstate(over="ignore", invalid="ignore"):
        total = vector.sum()
    return bool(np.isfinite(total) or np.isfinite(vector).all())
