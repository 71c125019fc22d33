"""Measuring centers on rows that the driver keeps while the workers train."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from distkeras.engines.task import fill
from distkeras.names import KEY, Columns
from distkeras.replica import Replica, ReplicaSpec
from distkeras.spool import Spool
from distkeras.vectors import Vector

__all__ = ["Measure"]

#: Rows that are measured at once.
PORTION = 4096


class Measure:
    """Loss and metrics of a center, by name; a context manager that gives the rows back.

    Args:
        replica: the model that is measured.
        memory: bytes of rows that are kept in memory; the rest go to files.
    """

    def __init__(self, replica: Replica, memory: int) -> None:
        self._replica = replica
        self._rows = Spool(memory)

    def __enter__(self) -> Measure:
        """Without rows yet."""
        return self

    def __exit__(self, *problem: object) -> None:
        """Forgets the rows."""
        self._rows.__exit__(None, None, None)

    def take(self, table: pa.Table, columns: Columns, spec: ReplicaSpec) -> None:
        """Keeps the rows to measure on.

        Args:
            table: with the columns' fixed names.
            columns: the user's names, for messages.
            spec: of the replica.

        Raises:
            DataError: names the user's column and the row.
        """
        keyed = table.append_column(KEY, pa.array(np.arange(len(table))))
        fill(self._rows, iter(keyed.to_batches()), columns, spec.dtypes)

    def __call__(self, center: Vector) -> dict[str, float]:
        """The measures, ``val_loss`` first.

        Args:
            center: shape (P,).
        """
        measured = self._replica.measure(center, self._portions())
        return {f"val_{name}": value for name, value in measured.items()}

    def _portions(self) -> Iterator[dict[str, Any]]:
        for first in range(0, len(self._rows), PORTION):
            yield self._rows.take(np.arange(first, min(first + PORTION, len(self._rows))))
