"""The handwritten digits of LeCun et al., from a folder of IDX or CSV files, also .gz."""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from distkeras.errors import DataError, StorageError


class Digits(NamedTuple):
    """``x`` float32 of shape (n, 784), from 0 to 1; ``y`` int32 of shape (n,), from 0 to 9."""

    x: np.ndarray
    y: np.ndarray


#: The CSV file of a split; a line is a label and 784 pixels from 0 to 255, row by row.
CSV = {"train": "mnist_train.csv", "t10k": "mnist_test.csv"}


def read(folder: Path, split: str) -> Digits:
    """Reads a split, "train" or "t10k": from CSV where that is there, and else from IDX.

    Raises:
        StorageError: a file is missing.
        DataError: a file is damaged or something else, or images and labels do not belong together.
    """
    for name in (CSV[split], f"{CSV[split]}.gz"):
        if (folder / name).exists():
            return csv(folder / name)
    images = idx(folder / f"{split}-images-idx3-ubyte", axes=3)
    labels = idx(folder / f"{split}-labels-idx1-ubyte", axes=1)
    if len(images) != len(labels):
        raise DataError(f"{folder}: {len(images)} images and {len(labels)} labels of {split!r}")
    return digits(images.reshape(len(images), -1), labels)


def digits(pixels: np.ndarray, labels: np.ndarray) -> Digits:
    """As the network takes them, of bytes."""
    return Digits(pixels / np.float32(255), labels.astype(np.int32))


def csv(path: Path) -> Digits:
    """The digits in a CSV file; a first line of names is skipped.

    Raises:
        DataError: a line has not 785 numbers from 0 to 255, or a label is above 9.
    """
    names = ["label", *(f"pixel {number}" for number in range(784))]
    types = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.uint8()))
    try:
        with pa.input_stream(path) as stream:
            header = not stream.read(2).lstrip(b'"')[:1].isdigit()
        lines = pa.csv.ReadOptions(column_names=names, skip_rows=int(header))
        table = pa.csv.read_csv(path, lines, convert_options=types)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: {str(error).splitlines()[0]}") from error
    if gap := next((name for name in names if table[name].null_count), None):
        raise DataError(f"{path}: a line has no {gap}")
    label, *pixels = (table[name].to_numpy() for name in names)
    if label.max(initial=0) > 9:
        raise DataError(f"{path}: a label is {label.max()}, and no digit")
    return digits(np.stack(pixels, axis=1), label)


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
