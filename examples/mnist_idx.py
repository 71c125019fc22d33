"""The handwritten digits of LeCun et al. from a folder of IDX files, packed by gzip or not."""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distkeras.errors import DataError, StorageError


class Digits(NamedTuple):
    """``x`` float32 of shape (n, 784), from 0 to 1; ``y`` int32 of shape (n,), from 0 to 9."""

    x: np.ndarray
    y: np.ndarray


def read(folder: Path, split: str) -> Digits:
    """Reads a split, "train" or "t10k".

    Raises:
        StorageError: a file is missing.
        DataError: a file is damaged or something else, or images and labels do not belong together.
    """
    images = idx(folder / f"{split}-images-idx3-ubyte", axes=3)
    labels = idx(folder / f"{split}-labels-idx1-ubyte", axes=1)
    if len(images) != len(labels):
        raise DataError(f"{folder}: {len(images)} images and {len(labels)} labels of {split!r}")
    return Digits(images.reshape(len(images), -1) / np.float32(255), labels.astype(np.int32))


def idx(path: Path, axes: int) -> np.ndarray:
    """The bytes in an IDX file, uint8, with as many axes; at the path or, packed, at path.gz.

    Raises:
        StorageError: neither is there.
        DataError: it cannot be unpacked, or is no such file.
    """
    packed = path.with_name(path.name + ".gz")
    try:
        data = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{packed}: cannot be unpacked: {error}") from error
    except OSError as error:
        raise StorageError(f"{path} or {packed.name}: {error.strerror}") from error
    # Two zeros, 8 for bytes, the number of axes; then the length of each.
    start = 4 + 4 * axes
    if len(data) < start or data[:4] != bytes((0, 0, 8, axes)):
        raise DataError(f"{path}: is no IDX file of bytes with {axes} axes")
    shape = np.frombuffer(data, ">u4", axes, offset=4).tolist()
    if len(data) != start + prod(shape):
        raise DataError(f"{path}: has {len(data) - start} bytes, its header says {prod(shape)}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
