"""The history of one worker, and of all workers together."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from distkeras.errors import ConfigError
from distkeras.history import History

if TYPE_CHECKING:
    from distkeras.conversation import Record

__all__ = ["of_worker", "worker_average"]


def of_worker(history: History, worker: int) -> list[Record]:
    """The windows of one worker, in the order in which they were merged.

    Args:
        history: of a training.
        worker: its number, from 0.

    Raises:
        ConfigError: the history has no window of this worker.
    """
    found = [record for record in history.records if record.worker == worker]
    if not found:
        known = sorted({record.worker for record in history.records})
        raise ConfigError(f"worker {worker!r} has no windows; those of {known} are there")
    return found


def worker_average(history: History) -> dict[str, np.ndarray]:
    """The mean of loss and metrics over the workers, for each number of a window.

    m(k) = mean over the workers w that have a window k of m(w, k), each worker counted once
    however many rows its window has.

    Args:
        history: of a training.

    Returns:
        Arrays of shape (windows,), ascending by window: ``window`` (int64, its number in its
        worker, from 0 over all epochs), ``workers`` (int64, how many have it), and float64 for
        each metric, the loss first, by its name.
    """
    groups: dict[int, list[tuple[float, ...]]] = defaultdict(list)
    for record in history.records:
        groups[record.window].append(record.metrics)
    numbers = sorted(groups)
    means = np.array([np.mean(groups[number], axis=0, dtype=float) for number in numbers])
    means = means.reshape(len(numbers), len(history.metrics))
    return {
        "window": np.array(numbers, np.int64),
        "workers": np.array([len(groups[number]) for number in numbers], np.int64),
        **{name: means[:, place] for place, name in enumerate(history.metrics)},
    }
