"""The handwritten digits of LeCun et al. from a folder of IDX files, packed by gzip or not."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Digits(NamedTuple):
    """``x`` float32 of shape (n, 784), from 0 to 1; ``y`` float32 of shape (n,), from 0 to 9."""

    x: np.ndarray
    y: np.ndarray


def read(folder: Path, split: str) -> Digits:
    """Reads a split, "train" or "t10k"."""
    images = _idx(folder / f"{split}-images-idx3-ubyte")
    labels = _idx(folder / f"{split}-labels-idx1-ubyte")
    return Digits(images.reshape(len(images), -1) / np.float32(255), labels.astype(np.float32))


def _idx(path: Path) -> np.ndarray:
    packed = path.with_name(path.name + ".gz")
    data = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    axes = data[3]
    shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)
