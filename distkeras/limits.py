"""What the server believes of the numbers that a worker sends: the bounds of each.

A number beyond its bound comes from a bug or from bad bytes. Merged, it would stay: in the rows
that everybody is told, in the history's columns, in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from distkeras.conversation import Update
from distkeras.errors import ProtocolError, TrainingDiverged
from distkeras.vectors import Vector, all_finite

__all__ = [
    "MAX_EPOCH",
    "MAX_FAILURES",
    "MAX_ROWS",
    "check_joining",
    "check_merged",
    "check_partition",
    "check_shape",
    "check_wait",
    "check_window",
    "diverged",
]

#: Rows in a partition, or in a window.
MAX_ROWS = 2**40
#: The last epoch that the history's column holds.
MAX_EPOCH = 2**31 - 1
#: Reports of failures that are kept of a worker; the oldest give way.
MAX_FAILURES = 8


def check_joining(partition: int, rows: int, workers: int) -> None:
    """Refuses a worker that cannot be one of this training.

    Args:
        partition: the worker.
        rows: in its partition.
        workers: how many there are.

    Raises:
        ProtocolError: names the worker.
    """
    check_partition(partition, workers)
    if not 0 < rows <= MAX_ROWS:
        raise ProtocolError(f"worker {partition} joined with {rows} rows, not 1 to {MAX_ROWS}")


def check_partition(partition: int, workers: int) -> None:
    """Refuses a worker that does not exist, before anything is kept for it.

    Raises:
        ProtocolError: names it.
    """
    if partition >= workers:
        raise ProtocolError(f"worker {partition} is none of the {workers} of this training")


def check_shape(update: Update, center: Vector) -> None:
    """Refuses a vector that is not as long as the center.

    Raises:
        ProtocolError: names the worker.
    """
    if update.vector.shape != center.shape:
        raise ProtocolError(
            f"worker {update.partition} sent a vector of shape {update.vector.shape}, "
            f"but the center has {center.shape}: its model is not the server's"
        )


def check_window(update: Update, rows: int) -> None:
    """Refuses a window that its partition cannot have.

    Args:
        update: the window.
        rows: in the partition.

    Raises:
        ProtocolError: names the worker and the window.
    """
    place = f"worker {update.partition} sent window {update.sequence}"
    if update.epoch > MAX_EPOCH:
        raise ProtocolError(f"{place} of epoch {update.epoch}; {MAX_EPOCH} is the last")
    # A window may go on across the ends of epochs, but not beyond the one that it names.
    most = min(rows * (update.epoch + 1), MAX_ROWS)
    if not 0 < update.rows <= most:
        raise ProtocolError(f"{place} of {update.rows} rows, not 1 to {most}")
    check_wait(update.partition, update.wait)
    if not 0 <= update.cpu < inf:
        raise ProtocolError(f"{place} with {update.cpu} processor seconds")


def check_wait(partition: int, wait: float) -> None:
    """Refuses what is no number of seconds.

    Raises:
        ProtocolError: names the worker.
    """
    if not 0 <= wait < inf:
        raise ProtocolError(f"worker {partition} waited {wait} s for its last exchange")


def diverged(update: Update) -> TrainingDiverged:
    """What to raise for a window whose loss or vector is not finite."""
    place = f"at worker {update.partition}, epoch {update.epoch}, window {update.sequence}"
    loss, remedy = update.metrics[0], "lower the learning rate or check the data"
    if not np.isfinite(loss):
        return TrainingDiverged(f"the loss became {loss} {place}: {remedy}")
    return TrainingDiverged(f"a weight became NaN or infinite {place}: {remedy}")


def check_merged(center: Vector, updates: Sequence[Update]) -> None:
    """Refuses windows whose vectors are finite, where the center with them would not be.

    Raises:
        TrainingDiverged: names the windows and the workers.
    """
    if not all_finite(center):
        windows = ", ".join(f"{one.sequence} of worker {one.partition}" for one in updates)
        raise TrainingDiverged(
            f"a weight of the center would become infinite with window {windows}: lower the rates"
        )
