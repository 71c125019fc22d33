"""The synthetic task of the benchmarks: two classes, best possible accuracy known.

The label depends on eight hidden directions of the features through products, a sine and a
tanh, so that no linear model solves it, and on a coin whose bias is known for each row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Rows(NamedTuple):
    """Features float32 (n, width), labels int32 (n,), and what the best classifier would score."""

    features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    best: float


def make(rows: int, width: int = 30, seed: int = 7) -> Rows:
    """So many rows at once."""
    return next(chunks(rows, rows, width, seed))


def chunks(rows: int, size: int, width: int = 30, seed: int = 7) -> Iterator[Rows]:
    """The same task piece by piece, for more rows than fit into memory."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(seed + 1).normal(size=(width, 8)) / np.sqrt(width)
    for start in range(0, rows, size):
        features = rng.normal(size=(min(size, rows - start), width)).astype(np.float32)
        h = features @ directions
        score = 2 * np.tanh(2 * h[:, 0]) * np.tanh(2 * h[:, 1]) + np.sin(2 * h[:, 2])
        score += h[:, 3] * h[:, 4] - 0.7
        chance = 1 / (1 + np.exp(-4 * score))
        labels = (rng.random(len(chance)) < chance).astype(np.int32)
        yield Rows(features, labels, float(np.maximum(chance, 1 - chance).mean()))
