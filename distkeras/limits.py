"""What the server believes of the numbers that a worker sends: the bounds of each.

A number beyond its bound comes from a bug or from bad bytes. Merged, it would stay: in the rows
that everybody is told, in the history's columns, in memory.
"""

from __future__ import annotations

from math import inf

from distkeras.conversation import Update
from distkeras.errors import ProtocolError

__all__ = [
    "MAX_EPOCH",
    "MAX_FAILURES",
    "MAX_ROWS",
    "check_joining",
    "check_partition",
    "check_wait",
    "check_window",
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


def check_wait(partition: int, wait: float) -> None:
    """Refuses what is no number of seconds.

    Raises:
        ProtocolError: names the worker.
    """
    if not 0 <= wait < inf:
        raise ProtocolError(f"worker {partition} waited {wait} s for its last exchange")
