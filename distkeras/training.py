"""One call of a trainer's ``train``, from a plan to the trained weights."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from distkeras.checkpoints import Keeper, Saved
from distkeras.chronicle import training
from distkeras.course import Course
from distkeras.errors import ConfigError, DataError, IncompleteTraining, TrainingDiverged
from distkeras.history import History, Progress, progress
from distkeras.logs import new_run
from distkeras.measure import Measure
from distkeras.monitor import Monitor, check_measures
from distkeras.plan import Plan
from distkeras.server import ParameterServer
from distkeras.shards.coordinator import Coordinator
from distkeras.vectors import Vector

if TYPE_CHECKING:
    from distkeras.trainers.base import Trainer

__all__ = ["Training"]


class Training:
    """A training that goes by a plan, once.

    Args:
        trainer: the settings.
        rows: a Spark DataFrame, or rows in memory.
        course: the rest.

    Attributes:
        plan: what is to be done.
        server: the center.
        monitor: looks at it while it is trained.
        run_id: what the log calls this training.

    Raises:
        ConfigError: for a model, column or argument that cannot work.
        DataError: for rows that cannot be trained on.
    """

    def __init__(self, trainer: Trainer, rows: Any, course: Course) -> None:
        self._trainer = trainer
        self._course = course
        self.run_id = new_run()
        self.plan = Plan(trainer, rows, course)
        self._held = ExitStack()
        self.server = self._served()
        # Another training's checkpoint is refused before the validation's files are there.
        self._keeper = self._kept()
        found = None if self._keeper is None else self._keeper.find()
        if found is not None:
            self.server.restore(found.snapshot)
        self.monitor = self._monitored()
        if found is not None:
            self.monitor.restore(found.validations, found.best)

    def __enter__(self) -> Training:
        """Ready to run."""
        return self

    def __exit__(self, *problem: object) -> None:
        """Gives back what the driver keeps of the validation."""
        self._held.close()
        if self._keeper is not None:
            self._keeper.wait()

    @property
    def history(self) -> History:
        """The windows merged so far."""
        validations = tuple(self.monitor.validations)
        return History(tuple(self.server.history), self.server.metrics, validations)

    @property
    def report(self) -> dict[str, Any]:
        """What was merged so far, and from what."""
        virtual = {} if self._course.conditions is None else {"virtual_seconds": self.server.now()}
        return {
            "rows": self.plan.summary.rows,
            "rows_merged": self.server.rows_merged,
            "rows_resumed": self.server.resumed[1],
            "windows": self.server.clock,
            "workers": self._trainer.num_workers,
            "run": self.run_id,
            "seed": self._trainer.seed,
            "stopped": self.server.stopped,
            **virtual,
        }

    @property
    def center(self) -> Vector:
        """The weights to return, shape (P,): the center, or the best one if that is kept."""
        best = self.monitor.best
        return self.server.center_now()[0] if best is None else best

    def run(self, tell: Callable[[Progress], None]) -> None:
        """Trains.

        Args:
            tell: called about twice a second.

        Raises:
            TrainingDiverged: if a weight is NaN or infinite.
            IncompleteTraining: if not every row was merged once an epoch.
            DistkerasError: as the engine says.
        """

        def watch() -> None:
            if isinstance(self.server, Coordinator):
                self.server.check()
            tell(progress(self.server, self.plan.total, self.server.now()))
            self.monitor.look()
            if self._keeper is not None:
                self._keeper.look(self.server.clock)

        rule, shares = self._trainer.rule.name, self.plan.partitions
        what = f"{rule}, {shares} workers, {self.plan.total} rows in all epochs"
        with training(self.run_id, what, self.server):
            job = self.plan.job(self.run_id)
            self.plan.engine.run(job, self.plan.deal, self.server, watch)
            self._check_complete()
            self.monitor.finish()
            if self._keeper is not None:
                self._keeper.finish()

    def _check_complete(self) -> None:
        merged, unfinished = self.server.rows_merged, self.server.unfinished
        if unfinished or (merged != self.plan.total and not self.server.stopped):
            raise IncompleteTraining(
                f"{merged} rows were merged, but {self.plan.summary.rows} rows x "
                f"{self._trainer.num_epoch} epochs = {self.plan.total} were to be; "
                f"workers that did not finish: {unfinished or 'none'}"
            )
        if not np.isfinite(self.server.center_now()[0]).all():
            raise TrainingDiverged("a weight of the center became infinite in the last window")

    def _served(self) -> ParameterServer:
        whole = self.plan.server()
        if self._trainer.num_parameter_servers == 1:
            return whole
        return self._cut(whole)

    def _cut(self, whole: ParameterServer) -> Coordinator:
        """The server whose center has several servers."""
        count = self._trainer.num_parameter_servers
        if self._course.conditions is not None:
            raise ConfigError(
                f"num_parameter_servers is {count}, but must be 1: a simulation starts none, and "
                f"Conditions(servers={count}) says how many share the time of an exchange"
            )
        coordinator = Coordinator(whole, count, self._trainer.compression)
        self._held.callback(coordinator.end)
        return coordinator

    def _monitored(self) -> Monitor:
        course = self._course
        check_measures(course.stop, course.validation, self.server.metrics)
        monitor = Monitor(self.server, self.plan.summary.rows, course.stop, course.validation)
        if course.validation is not None:
            try:
                table = self.plan.engine.gather(course.validation.rows)
                self.plan.check_validation(table)
                measure = Measure(self.plan.replica, int(self._trainer.memory_mb * 2**20))
                monitor.measure = self._held.enter_context(measure)
                measure.take(table, self.plan.columns, self.plan.spec)
            except (ConfigError, DataError) as problem:
                self._held.close()
                raise type(problem)(f"validation: {problem}") from problem
        return monitor

    def _kept(self) -> Keeper | None:
        """The keeper of checkpoints, where they are wanted."""
        spec = self._course.checkpoint
        return None if spec is None else Keeper(spec, self.plan.identity(), self._saved)

    def _saved(self) -> Saved:
        validations = tuple(self.monitor.validations)
        return Saved(self.plan.identity(), self.server.snapshot(), validations, self.monitor.best)
