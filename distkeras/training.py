"""One call of a trainer's ``train``, from the checks on the driver to the trained model."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from distkeras import checks, compilation
from distkeras.callbacks import check_callbacks
from distkeras.checkpoints import Keeper, Saved
from distkeras.chronicle import training
from distkeras.codecs import codec_of
from distkeras.course import Course
from distkeras.engines.base import Deal, Engine
from distkeras.engines.summary import Summary
from distkeras.engines.tables import summarise_table
from distkeras.engines.task import Job
from distkeras.errors import (
    ConfigError,
    DataError,
    DistkerasError,
    IncompleteTraining,
    TrainingDiverged,
)
from distkeras.history import History, Progress, progress
from distkeras.logs import new_run
from distkeras.measure import Measure
from distkeras.models import build, to_blueprint
from distkeras.monitor import Monitor, check_measures
from distkeras.names import Columns
from distkeras.replica import Replica, ReplicaSpec, travelling
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.shards.coordinator import Coordinator
from distkeras.vectors import Vector

if TYPE_CHECKING:
    from distkeras.trainers.base import Trainer

__all__ = ["Training"]

#: Bytes of rows that a replica takes in one call, about; a window with more comes in portions.
PORTION = 16 * 2**20


class Training:
    """A trainer's settings and rows, checked against each other.

    Args:
        trainer: the settings.
        rows: a Spark DataFrame, or rows in memory.
        course: the rest.

    Attributes:
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
        self._columns = Columns.of(
            trainer.features_col, trainer.label_col, trainer.sample_weight_col
        )
        self._engine = _engine(rows, self._columns, course)
        self._model = compilation.compiled_copy(trainer.keras_model, _arguments(trainer))
        check_callbacks(trainer.callbacks, self._model)
        checks.check_columns(self._model, self._columns)
        class_weight = checks.check_class_weight(self._model, trainer.class_weight)
        self._partitions = trainer.num_workers * trainer.parallelism_factor
        if trainer.rule.synchronous or course.conditions is not None:
            self._engine.check_slots(self._partitions)
        self._summary = self._engine.summary()
        if self._summary.rows < self._partitions:
            raise DataError(_too_few(trainer, self._summary.rows))
        checks.check_rows(self._model, self._summary, class_weight)
        self._spec = ReplicaSpec(
            config=compilation.config_of(self._model),
            batch_size=trainer.batch_size,
            window=_portion(self._summary, trainer),
            inputs=checks.closed_inputs(self._model, self._summary),
            weighted=self._columns.sample_weight is not None,
            class_weight=class_weight,
            custom_objects=trainer.custom_objects,
        )
        # Building one here finds what would fail on every worker, and names the metrics.
        self._replica = _probe(self._spec)
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
    def total(self) -> int:
        """Rows that are to be merged: each once for each epoch."""
        return self._summary.rows * self._trainer.num_epoch

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
            "rows": self._summary.rows,
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
            tell(progress(self.server, self.total, self.server.now()))
            self.monitor.look()
            if self._keeper is not None:
                self._keeper.look(self.server.clock)

        trainer = self._trainer
        seed = trainer.seed if self._course.shuffle else None
        deal = Deal(self._partitions, trainer.num_workers, seed)
        what = f"{trainer.rule.name}, {self._partitions} workers, {self.total} rows in all epochs"
        with training(self.run_id, what, self.server):
            self._engine.run(self._job(), deal, self.server, watch)
            self._check_complete()
            self.monitor.finish()
            if self._keeper is not None:
                self._keeper.finish()

    def model(self, weights: Vector) -> Any:
        """A new model, compiled as the trained one.

        Args:
            weights: shape (P,).
        """
        trained = build(to_blueprint(self._model), self._trainer.custom_objects)
        arrays = self._replica.layout.unflatten(weights)
        for variable, array in zip(travelling(trained), arrays, strict=True):
            variable.assign(array)
        return trained

    def _check_complete(self) -> None:
        merged, unfinished = self.server.rows_merged, self.server.unfinished
        if unfinished or (merged != self.total and not self.server.stopped):
            raise IncompleteTraining(
                f"{merged} rows were merged, but {self._summary.rows} rows x "
                f"{self._trainer.num_epoch} epochs = {self.total} were to be; "
                f"workers that did not finish: {unfinished or 'none'}"
            )
        if not np.isfinite(self.server.center_now()[0]).all():
            raise TrainingDiverged("a weight of the center became infinite in the last window")

    def _served(self) -> ParameterServer:
        weights = [variable.numpy() for variable in travelling(self._model)]
        whole = ParameterServer(
            self._replica.layout.flatten(weights),
            self._trainer.rule,
            tuple(self._replica.metric_names),
            workers=self._partitions,
            timeout=self._trainer.round_timeout,
            codec=codec_of(self._trainer.compression),
            patience=min(2.0, self._trainer.timeout / 3),
            overlap=self._trainer.overlap,
            # A simulation's clock begins at 0, and goes on when the engine runs.
            now=time.time if self._course.conditions is None else float,
        )
        if self._trainer.num_parameter_servers == 1:
            return whole
        return self._cut(whole)

    def _cut(self, whole: ParameterServer) -> Coordinator:
        """The server whose center has several servers."""
        count = self._trainer.num_parameter_servers
        if self._course.conditions is not None:
            raise ConfigError(
                f"num_parameter_servers is {count}, but must be 1: a simulation's server takes no "
                "time, so that others would save none"
            )
        coordinator = Coordinator(whole, count, self._trainer.compression)
        self._held.callback(coordinator.end)
        return coordinator

    def _monitored(self) -> Monitor:
        course = self._course
        check_measures(course.stop, course.validation, self.server.metrics)
        monitor = Monitor(self.server, self._summary.rows, course.stop, course.validation)
        if course.validation is not None:
            try:
                table = self._engine.gather(course.validation.rows)
                self._check_validation(table)
                measure = Measure(self._replica, int(self._trainer.memory_mb * 2**20))
                monitor.measure = self._held.enter_context(measure)
                measure.take(table, self._columns, self._spec)
            except (ConfigError, DataError) as problem:
                self._held.close()
                raise type(problem)(f"validation: {problem}") from problem
        return monitor

    def _kept(self) -> Keeper | None:
        """The keeper of checkpoints, where they are wanted."""
        spec = self._course.checkpoint
        return None if spec is None else Keeper(spec, self._identity(), self._saved)

    def _saved(self) -> Saved:
        validations = tuple(self.monitor.validations)
        return Saved(self._identity(), self.server.snapshot(), validations, self.monitor.best)

    def _identity(self) -> dict[str, Any]:
        """What must be the same where a checkpoint is gone on from: who trains which row when."""
        trainer = self._trainer
        codec = codec_of(trainer.compression)
        return {
            "rule": trainer.rule.name,
            "workers": self._partitions,
            "num_epoch": trainer.num_epoch,
            "batch_size": trainer.batch_size,
            "communication_window": trainer.communication_window,
            "compression": codec.name if codec.lossy else None,
            "seed": trainer.seed,
            "shuffle": self._course.shuffle,
            "rows": self._summary.rows,
            "rows of Spark's partitions": list(self._summary.partition_rows),
            "parameters": self._replica.layout.size,
            "metrics": list(self.server.metrics),
        }

    def _check_validation(self, table: pa.Table) -> None:
        if not len(table):
            raise DataError("there are no rows")
        summary = summarise_table(table, self._columns)
        checks.check_rows(self._model, summary, None)
        if checks.closed_inputs(self._model, summary) != self._spec.inputs:
            raise DataError("the features are not as wide as those of the training")

    def _job(self) -> Job:
        trainer = self._trainer
        return Job(
            self._spec,
            trainer.rule,
            Schedule(
                trainer.batch_size,
                trainer.communication_window,
                trainer.num_epoch,
                trainer.seed,
                self._spec.window,
                trainer.max_prefetch,
            ),
            layout=self._replica.layout,
            columns=self._columns,
            memory=int(trainer.memory_mb * 2**20),
            timeout=trainer.timeout,
            worker_timeout=trainer.worker_timeout,
            address=("", trainer.master_port),
            callbacks=trainer.callbacks,
            codec=codec_of(trainer.compression),
            run=self.run_id,
            overlap=trainer.overlap,
        )


def _engine(rows: Any, columns: Columns, course: Course) -> Engine:
    """Where to train: by what the rows are."""
    if course.conditions is not None:
        from distkeras.engines.simulator import SimulatedEngine

        return SimulatedEngine(rows, columns, course.conditions)
    if hasattr(rows, "sparkSession"):
        from distkeras.engines.spark import SparkEngine

        return SparkEngine(rows, columns)
    from distkeras.engines.local import LocalEngine

    return LocalEngine(rows, columns)


def _portion(summary: Summary, trainer: Trainer) -> int:
    """Mini-batches that a replica takes at once: a window, if that is not too large."""
    per_worker = -(-summary.rows // trainer.num_workers // trainer.parallelism_factor)
    batches = -(-per_worker // trainer.batch_size)
    numbers = sum(column.numbers for column in (*summary.features, *summary.labels))
    affordable = max(1, PORTION // (4 * numbers * trainer.batch_size))
    return min(trainer.communication_window or batches, batches, affordable)


def _too_few(trainer: Trainer, rows: int) -> str:
    shares = f"num_workers={trainer.num_workers}"
    if trainer.parallelism_factor > 1:
        shares += f" x parallelism_factor={trainer.parallelism_factor}"
    return f"the DataFrame has {rows} rows, fewer than {shares}"


def _probe(spec: ReplicaSpec) -> Replica:
    try:
        return Replica(spec)
    except DistkerasError:
        raise
    except (TypeError, ValueError, KeyError) as problem:
        first = str(problem).strip().splitlines()[0]
        raise ConfigError(f"the model cannot be trained with this loss: {first}") from problem


def _arguments(trainer: Trainer) -> compilation.CompileArguments:
    return compilation.CompileArguments(
        optimizer=trainer.worker_optimizer,
        loss=trainer.loss,
        metrics=trainer.metrics,
        learning_rate=trainer.optimizer_learning_rate,
        loss_weights=trainer.loss_weights,
        custom_objects=trainer.custom_objects,
        nesterov=trainer.nesterov,
    )
