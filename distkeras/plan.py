"""What one call of a trainer's ``train`` will do: its settings and rows, checked on the driver."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from distkeras import checks, compilation
from distkeras.callbacks import check_callbacks
from distkeras.codecs import codec_of
from distkeras.course import Course
from distkeras.engines.base import Deal, Engine
from distkeras.engines.summary import Summary
from distkeras.engines.tables import summarise_table
from distkeras.engines.task import Job
from distkeras.errors import ConfigError, DataError, DistkerasError
from distkeras.models import build, to_blueprint
from distkeras.names import Columns
from distkeras.replica import Replica, ReplicaSpec, travelling
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.vectors import Vector

if TYPE_CHECKING:
    from distkeras.trainers.base import Trainer

__all__ = ["Plan"]

#: Bytes of rows that a replica takes in one call, about; a window with more comes in portions.
PORTION = 16 * 2**20


class Plan:
    """A trainer's settings and rows, checked against each other.

    Args:
        trainer: the settings.
        rows: a Spark DataFrame, or rows in memory.
        course: the rest.

    Attributes:
        columns: those that are read.
        engine: where the workers run.
        partitions: shares of the rows, each of a worker of its own to the server.
        summary: of the rows.
        spec: of what a worker trains.
        replica: one of the driver's own, which names the metrics and lays out the weights.

    Raises:
        ConfigError: for a model, column or argument that cannot work.
        DataError: for rows that cannot be trained on.
    """

    def __init__(self, trainer: Trainer, rows: Any, course: Course) -> None:
        self._trainer, self._course = trainer, course
        self.columns = Columns.of(
            trainer.features_col, trainer.label_col, trainer.sample_weight_col
        )
        self.engine = _engine(rows, self.columns, course)
        self._model = compilation.compiled_copy(trainer.keras_model, _arguments(trainer))
        check_callbacks(trainer.callbacks, self._model)
        checks.check_columns(self._model, self.columns)
        class_weight = checks.check_class_weight(self._model, trainer.class_weight)
        self.partitions = trainer.num_workers * trainer.parallelism_factor
        if trainer.rule.synchronous or course.conditions is not None:
            self.engine.check_slots(self.partitions)
        self.summary = self.engine.summary()
        if self.summary.rows < self.partitions:
            raise DataError(_too_few(trainer, self.summary.rows))
        checks.check_rows(self._model, self.summary, class_weight)
        self.spec = ReplicaSpec(
            config=compilation.config_of(self._model),
            batch_size=trainer.batch_size,
            window=_portion(self.summary, trainer),
            inputs=checks.closed_inputs(self._model, self.summary),
            weighted=self.columns.sample_weight is not None,
            class_weight=class_weight,
            custom_objects=trainer.custom_objects,
        )
        # Building one here finds what would fail on every worker, and names the metrics.
        self.replica = _probe(self.spec)

    @property
    def total(self) -> int:
        """Rows that are to be merged: each once for each epoch."""
        return self.summary.rows * self._trainer.num_epoch

    @property
    def deal(self) -> Deal:
        """Who trains which rows."""
        trainer = self._trainer
        seed = trainer.seed if self._course.shuffle else None
        return Deal(self.partitions, trainer.num_workers, seed)

    def job(self, run_id: str) -> Job:
        """What every worker is given.

        Args:
            run_id: what the log calls this training.
        """
        trainer = self._trainer
        return Job(
            self.spec,
            trainer.rule,
            Schedule(
                trainer.batch_size,
                trainer.communication_window,
                trainer.num_epoch,
                trainer.seed,
                self.spec.window,
                trainer.max_prefetch,
            ),
            layout=self.replica.layout,
            columns=self.columns,
            memory=int(trainer.memory_mb * 2**20),
            timeout=trainer.timeout,
            worker_timeout=trainer.worker_timeout,
            address=("", trainer.master_port),
            callbacks=trainer.callbacks,
            codec=codec_of(trainer.compression),
            run=run_id,
            overlap=trainer.overlap,
        )

    def server(self) -> ParameterServer:
        """A server whose center is the trainer's model."""
        trainer = self._trainer
        weights = [variable.numpy() for variable in travelling(self._model)]
        return ParameterServer(
            self.replica.layout.flatten(weights),
            trainer.rule,
            tuple(self.replica.metric_names),
            workers=self.partitions,
            timeout=trainer.round_timeout,
            codec=codec_of(trainer.compression),
            patience=min(2.0, trainer.timeout / 3),
            overlap=trainer.overlap,
            # A simulation's clock begins at 0, and goes on when the engine runs.
            now=time.time if self._course.conditions is None else float,
        )

    def model(self, weights: Vector) -> Any:
        """A new model, compiled as the trained one.

        Args:
            weights: shape (P,).
        """
        trained = build(to_blueprint(self._model), self._trainer.custom_objects)
        arrays = self.replica.layout.unflatten(weights)
        for variable, array in zip(travelling(trained), arrays, strict=True):
            variable.assign(array)
        return trained

    def identity(self) -> dict[str, Any]:
        """What must be the same where a checkpoint is gone on from: who trains which row when."""
        trainer = self._trainer
        codec = codec_of(trainer.compression)
        return {
            "rule": trainer.rule.name,
            "workers": self.partitions,
            "num_epoch": trainer.num_epoch,
            "batch_size": trainer.batch_size,
            "communication_window": trainer.communication_window,
            "compression": codec.name if codec.lossy else None,
            "seed": trainer.seed,
            "shuffle": self._course.shuffle,
            "rows": self.summary.rows,
            "rows of Spark's partitions": list(self.summary.partition_rows),
            "parameters": self.replica.layout.size,
            "metrics": list(self.replica.metric_names),
        }

    def check_validation(self, table: pa.Table) -> None:
        """Refuses rows that a center cannot be measured on.

        Raises:
            DataError: there are none, or they are not as those of the training.
        """
        if not len(table):
            raise DataError("there are no rows")
        summary = summarise_table(table, self.columns)
        checks.check_rows(self._model, summary, None)
        if checks.closed_inputs(self._model, summary) != self.spec.inputs:
            raise DataError("the features are not as wide as those of the training")


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
