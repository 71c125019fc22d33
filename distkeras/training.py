"""One call of a trainer's ``train``, from the checks on the driver to the trained model."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from distkeras import checks, compilation
from distkeras.engines import spark
from distkeras.engines.summary import summarise
from distkeras.engines.task import Job
from distkeras.errors import (
    ConfigError,
    DataError,
    DistkerasError,
    IncompleteTraining,
    TrainingDiverged,
)
from distkeras.history import History, Progress, progress
from distkeras.names import Columns
from distkeras.replica import Replica, ReplicaSpec, travelling
from distkeras.server import ParameterServer
from distkeras.worker import Schedule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from distkeras.trainers import Trainer

__all__ = ["Training"]


class Training:
    """A trainer's settings and a DataFrame, checked against each other.

    Args:
        trainer: the settings.
        dataframe: the rows.

    Attributes:
        server: the center.

    Raises:
        ConfigError: for a model, column or argument that cannot work.
        DataError: for rows that cannot be trained on.
    """

    def __init__(self, trainer: Trainer, dataframe: DataFrame) -> None:
        self._trainer = trainer
        self._columns = Columns.of(
            trainer.features_col, trainer.label_col, trainer.sample_weight_col
        )
        self._rows = spark.select(dataframe, self._columns)
        self._model = compilation.compiled_copy(trainer.keras_model, _arguments(trainer))
        checks.check_columns(self._model, self._columns)
        class_weight = checks.check_class_weight(self._model, trainer.class_weight)
        self._summary = summarise(self._rows, self._columns)
        if self._summary.rows < trainer.num_workers:
            raise DataError(
                f"the DataFrame has {self._summary.rows} rows, "
                f"fewer than num_workers={trainer.num_workers}"
            )
        checks.check_rows(self._model, self._summary, class_weight)
        self._spec = ReplicaSpec(
            config=compilation.config_of(self._model),
            batch_size=trainer.batch_size,
            # A window never has more mini-batches than the data.
            window=min(trainer.communication_window, -(-self._summary.rows // trainer.batch_size)),
            inputs=checks.closed_inputs(self._model, self._summary),
            weighted=self._columns.sample_weight is not None,
            class_weight=class_weight,
            custom_objects=trainer.custom_objects,
        )
        # Building one here finds what would fail on every worker, and names the metrics.
        probe = _probe(self._spec)
        self._layout = probe.layout
        weights = [variable.numpy() for variable in travelling(self._model)]
        center = self._layout.flatten(weights)
        self.server = ParameterServer(center, trainer.rule, tuple(probe.metric_names))

    @property
    def total(self) -> int:
        """Rows that are to be merged: each once for each epoch."""
        return self._summary.rows * self._trainer.num_epoch

    @property
    def history(self) -> History:
        """The windows merged so far."""
        return History(tuple(self.server.history), self.server.metrics)

    @property
    def report(self) -> dict[str, Any]:
        """What was merged so far, and from what."""
        return {
            "rows": self._summary.rows,
            "rows_merged": self.server.rows_merged,
            "windows": self.server.clock,
            "workers": self._trainer.num_workers,
            "seed": self._trainer.seed,
        }

    def run(self, shuffle_seed: int | None, tell: Callable[[Progress], None]) -> None:
        """Trains.

        Args:
            shuffle_seed: from which rows are dealt out to workers; None leaves it to Spark.
            tell: called about twice a second.

        Raises:
            TrainingError: as ``engines.spark.train_on_spark`` says.
        """
        spark.train_on_spark(
            spark.deal(
                self._rows, self._trainer.num_workers, self._summary.partition_rows, shuffle_seed
            ),
            self._job(),
            self.server,
            lambda: tell(progress(self.server, self.total, time.time())),
        )

    def finish(self) -> Any:
        """The model with the center's weights.

        Raises:
            IncompleteTraining: if not every row was merged once an epoch.
            TrainingDiverged: if a weight is NaN or infinite.
        """
        merged, unfinished = self.server.rows_merged, self.server.unfinished
        if merged != self.total or unfinished:
            raise IncompleteTraining(
                f"{merged} rows were merged, but {self._summary.rows} rows x "
                f"{self._trainer.num_epoch} epochs = {self.total} were to be; "
                f"workers that did not finish: {unfinished or 'none'}"
            )
        if not np.isfinite(self.server.center).all():
            raise TrainingDiverged("a weight of the center became infinite in the last window")
        arrays = self._layout.unflatten(self.server.center)
        for variable, array in zip(travelling(self._model), arrays, strict=True):
            variable.assign(array)
        return self._model

    def _job(self) -> Job:
        trainer = self._trainer
        return Job(
            self._spec,
            trainer.rule,
            Schedule(
                trainer.batch_size, trainer.communication_window, trainer.num_epoch, trainer.seed
            ),
            layout=self._layout,
            columns=self._columns,
            memory=int(trainer.memory_mb * 2**20),
            cores=int(self._rows.sparkSession.conf.get("spark.task.cpus", "1") or 1),
            timeout=trainer.timeout,
        )


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
        trainer.worker_optimizer,
        trainer.loss,
        trainer.metrics,
        trainer.optimizer_learning_rate,
        trainer.loss_weights,
        trainer.custom_objects,
    )
