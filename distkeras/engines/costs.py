"""What a training costs that was measured: the conditions of a simulation with more workers.

The training that is measured has one worker, so that nobody is waited for, and a core for it:

- of a mini-batch: the time between two merged windows, but for what the worker stood still, by the
  mini-batches in a window. All windows are kept, the slow ones too, and drawn from.
- of an exchange: the processor time of the server, which serves one after another.
- of a message: half of what the worker stands still beyond that.

So it is a cluster in which every worker has a core like the one that was measured, and all share
one server: neither their memory nor their network gets full.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from distkeras.conversation import Record
from distkeras.engines.conditions import Conditions, Constant, Measured
from distkeras.errors import ConfigError

__all__ = ["Costs"]

#: Whole windows without which nothing was measured.
FEWEST = 10


class Costs(NamedTuple):
    """In seconds.

    Attributes:
        batches: of a mini-batch, in each of the windows that were measured.
        service: how long an exchange keeps the server busy.
        delay: of the network, one way.
    """

    batches: tuple[float, ...]
    service: float
    delay: float

    @classmethod
    def of(cls, records: Sequence[Record], batch_size: int, service: float) -> Costs:
        """Of a training with one worker.

        Args:
            records: its windows, in the order of merging.
            batch_size: rows in a mini-batch.
            service: processor seconds of the server for an exchange.

        Raises:
            ConfigError: there are several workers, or too few windows.
        """
        if len({record.worker for record in records}) > 1:
            raise ConfigError("costs are those of a training with one worker, not of several")
        most = max((record.samples for record in records), default=0)
        # What ends an epoch is compiled on its own, and in the middle of the training.
        whole = [pair for pair in pairwise(records) if pair[0].samples == pair[1].samples == most]
        if len(whole) < FEWEST:
            raise ConfigError(
                f"{len(whole)} whole windows one after another are too few to measure what a "
                f"mini-batch costs, which takes {FEWEST}: give the training more rows, or shorter "
                "windows"
            )
        wait = float(np.median([record.exchange_wait for _, record in whole]))
        steps = -(-most // batch_size)
        times = tuple(_seconds(*pair) / steps for pair in whole)
        return cls(times, service, max(0.0, (wait - service) / 2))

    def conditions(self, seed: int = 0) -> Conditions:
        """A cluster with these costs."""
        return Conditions(
            Measured(self.batches),
            delay=Constant(self.delay),
            service=Constant(self.service),
            seed=seed,
            alike=True,
        )

    def told(self) -> dict[str, Any]:
        """What a reader wants to know, as JSON, in seconds; of a mini-batch mean and median."""
        return {
            "windows": len(self.batches),
            "batch_seconds": float(np.mean(self.batches)),
            "batch_median_seconds": float(np.median(self.batches)),
            "service_seconds": self.service,
            "delay_seconds": self.delay,
        }


def _seconds(before: Record, record: Record) -> float:
    """Of a window, without its exchanges: half of each is between the two merges."""
    stood = (before.exchange_wait + record.exchange_wait) / 2
    return max(0.0, record.timestamp - before.timestamp - stood)
