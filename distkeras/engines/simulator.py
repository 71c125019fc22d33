"""The simulated engine with a Keras model: one replica for all virtual workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import pyarrow as pa

from distkeras.callbacks import Callbacks
from distkeras.engines.base import Deal
from distkeras.engines.conditions import Conditions
from distkeras.engines.simulated import Simulation
from distkeras.engines.summary import Summary
from distkeras.engines.tables import deal_table, summarise_table, table_of
from distkeras.engines.task import Job, fill
from distkeras.names import Columns
from distkeras.server import ParameterServer
from distkeras.spool import Spool
from distkeras.vectors import Vector
from distkeras.worker import Assignment, Trained

if TYPE_CHECKING:
    from distkeras.replica import Replica

__all__ = ["SharedReplica", "SimulatedEngine"]


class SimulatedEngine:
    """Virtual workers in this process; the times in the history are virtual seconds.

    Args:
        rows: see ``tables.table_of``.
        columns: those that training reads.
        conditions: the cluster.

    Raises:
        ConfigError: if a column is missing.
        DataError: if a column is not numeric.
    """

    def __init__(self, rows: Any, columns: Columns, conditions: Conditions) -> None:
        self._columns = columns
        self._table = table_of(rows, columns)
        self._conditions = conditions

    def summary(self) -> Summary:
        """See ``Engine``."""
        return summarise_table(self._table, self._columns)

    def check_slots(self, workers: int) -> None:
        """See ``Engine``: any number of virtual workers run; those with conditions must be there.

        Raises:
            ConfigError: names a worker that is not.
        """
        self._conditions.check(workers)

    def gather(self, rows: Any) -> pa.Table:
        """See ``Engine``."""
        return table_of(rows, self._columns)

    def run(self, job: Job, deal: Deal, server: ParameterServer, watch: Callable[[], None]) -> None:
        """See ``Engine``; watches after every event, and all partitions are trained at once."""
        from distkeras.replica import Replica

        shared = SharedReplica(Replica(job.spec), job.schedule.seed)
        with ExitStack() as stack:
            shards = []
            for table in deal_table(self._table, deal.partitions, deal.shuffle_seed):
                shards.append(stack.enter_context(Spool(job.memory)))
                fill(shards[-1], iter(table.to_batches()), job.columns, job.spec.dtypes)

            def listener(who: Assignment, share: Any) -> Callbacks | None:
                # As in Spark, each attempt has callbacks of its own.
                mine = replace(job, callbacks=deepcopy(job.callbacks))
                return mine.listener(who, len(shards[who.partition]), share)

            place = server, job.schedule, shards, shared.of, self._conditions
            simulation = Simulation(*place, listener)
            simulation.run(watch)


class SharedReplica:
    """Trains now for one worker, then for another.

    Args:
        replica: the model that is compiled once.
        seed: of everything random; worker i begins with seed + i.
    """

    def __init__(self, replica: Replica, seed: int) -> None:
        self._replica = replica
        self._seed = seed
        self._user: _Share | None = None

    def of(self, worker: int, attempt: int = 0) -> _Share:
        """The replica as one worker sees it; a new attempt begins anew.

        Args:
            worker: from 0.
            attempt: its try; the engine asks once for each.
        """
        return _Share(self, (self._seed + worker) % 2**32)

    def for_user(self, user: _Share) -> Replica:
        """The replica, in the state in which this worker left it."""
        if self._user is not user:
            if self._user is not None:
                self._user.state = self._replica.snapshot()
            if user.state is None:
                self._replica.reset(user.seed)
            else:
                self._replica.restore(user.state)
                user.state = None
            self._user = user
        return self._replica


class _Share:
    """What one worker knows of a shared replica."""

    def __init__(self, shared: SharedReplica, seed: int) -> None:
        self._shared = shared
        self.seed = seed
        self.state: tuple[npt.NDArray[Any], ...] | None = None

    @property
    def model(self) -> Any:
        """The Keras model, with this worker's state."""
        return self._shared.for_user(self).model

    @property
    def metric_names(self) -> list[str]:
        """See ``Replica``."""
        return self._shared.for_user(self).metric_names

    def run(self, weights: Vector, rows: Mapping[str, npt.NDArray[Any]], clock: int = 0) -> Trained:
        """See ``Replica.run``."""
        return self._shared.for_user(self).run(weights, rows, clock)
