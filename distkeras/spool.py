"""A partition's rows, kept once: in memory up to a bound, in memory-mapped files beyond it.

Training reads each row once an epoch in random order, so the rows must be at hand; Spark hands
them out only once, as a stream. The files lie in Spark's local directories and are gone when the
spool is closed.
"""

from __future__ import annotations

import errno
import mmap
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from distkeras.errors import EnvironmentProblem

__all__ = ["Spool"]

Array = npt.NDArray[Any]

#: Bytes that become resident around a byte that is read: Linux maps as many of a file's pages at
#: once where they are in its cache (fault_around_bytes), so a shuffled read of small rows soon
#: has the whole file.
_AROUND = 64 * 1024


class Spool:
    """Appends rows, is closed for writing by ``sort``, and then gives rows by index.

    Args:
        bound: bytes that the rows may take in memory.
        directory: where files may be made; the system's temporary directory if None.
    """

    def __init__(self, bound: int, directory: str | None = None) -> None:
        self._bound = bound
        self._parent = directory
        self._folder: Path | None = None
        self._files: dict[str, BinaryIO] = {}
        self._chunks: dict[str, list[Array]] = {}
        self._columns: dict[str, Array] = {}
        self._keys: list[npt.NDArray[np.int64]] = []
        self._order: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._bytes = 0
        self._touched = 0

    def __enter__(self) -> Spool:
        """The spool, empty."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Forgets the rows and removes the files."""
        self._columns.clear()
        self._chunks.clear()
        for file in self._files.values():
            with suppress(OSError):  # What a full disk did not take is written again, in vain.
                file.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __len__(self) -> int:
        """Rows appended so far."""
        return sum(map(len, self._keys))

    @property
    def spilled(self) -> bool:
        """Whether the rows did not fit into memory."""
        return self._folder is not None

    def append(self, keys: npt.NDArray[np.int64], columns: Mapping[str, Array]) -> None:
        """Adds rows.

        Args:
            keys: shape (n,), what ``sort`` orders the rows by.
            columns: arrays of shape (n,) or (n, width); the same names, widths and types each time.

        Raises:
            EnvironmentProblem: if the disk is full.
        """
        self._keys.append(keys)
        self._bytes += sum(array.nbytes for array in columns.values())
        for name, array in columns.items():
            self._chunks.setdefault(name, []).append(array)
        if self._bytes > self._bound:
            self._spill()

    def sort(self) -> None:
        """Ends writing; from here on row i is the one with the i-th smallest key."""
        keys = np.concatenate(self._keys) if self._keys else np.empty(0, np.int64)
        self._order = np.argsort(keys, kind="stable")
        self._keys = [keys]
        for name in list(self._chunks):
            self._columns[name] = self._finished(name)

    def take(self, indices: npt.NDArray[np.int64]) -> dict[str, Array]:
        """Rows by their place in the order of the keys.

        Args:
            indices: shape (k,).

        Returns:
            For each column a new array of shape (k,) or (k, width).
        """
        places = self._order[indices]
        return {name: self._read(column, places) for name, column in self._columns.items()}

    def _spill(self) -> None:
        try:
            if self._folder is None:
                folder = tempfile.mkdtemp(prefix="distkeras-spool-", dir=self._parent)
                self._folder = Path(folder)
            for name, chunks in self._chunks.items():
                if name not in self._files:
                    self._files[name] = (self._folder / f"{len(self._files)}.bin").open("w+b")
                for chunk in chunks:
                    self._files[name].write(np.ascontiguousarray(chunk).data)
                self._files[name].flush()  # A full disk shows here and not when it is closed.
                del chunks[:-1]  # The last one tells shape and type of the rest.
                chunks[0] = chunks[0][:0].copy()
        except OSError as problem:
            if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise EnvironmentProblem(
                f"no space left in {self._folder or self._parent or tempfile.gettempdir()} "
                f"for {self._bytes:,} bytes of a worker's rows: "
                "free some, set spark.local.dir, or raise memory_mb"
            ) from None
        self._bytes = self._bound  # Whatever comes next goes to the files at once.

    def _finished(self, name: str) -> Array:
        chunks = self._chunks.pop(name)
        if self._folder is None:
            return np.concatenate(chunks)
        return np.memmap(
            self._files[name], chunks[0].dtype, "r", shape=(len(self), *chunks[0].shape[1:])
        )

    def _read(self, column: Array, places: npt.NDArray[np.int64]) -> Array:
        if not self.spilled:
            return column[places]
        rows = np.empty((len(places), *column.shape[1:]), column.dtype)
        cost = _AROUND + column[:1].nbytes
        portion = max(1, self._bound // cost)
        for first in range(0, len(places), portion):
            part = places[first : first + portion]
            self._release(len(part) * cost)
            rows[first : first + portion] = column[part]
        return rows

    def _release(self, coming: int) -> None:
        # Pages that were read count as resident until they are given back.
        self._touched += coming
        if self._touched > self._bound:
            self._touched = coming
            for column in self._columns.values():
                column.base.madvise(mmap.MADV_DONTNEED)  # type: ignore[union-attr]
