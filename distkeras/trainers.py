"""What users touch: a trainer for each distributed optimizer.

Every trainer takes a Keras model and keyword arguments, and ``train(dataframe)`` returns a
trained Keras model. A trainer differs from the next by its rule and its defaults, no more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from distkeras import rules
from distkeras.errors import ConfigError, DataError, IncompleteTraining
from distkeras.history import History, Progress, progress
from distkeras.rules import Rule
from distkeras.server import ParameterServer

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from distkeras.engines.summary import Summary
    from distkeras.engines.task import Job

__all__ = ["ADAG", "AEASGD", "DOWNPOUR", "TRAINERS", "SingleTrainer", "Trainer"]


class Trainer:
    """What all trainers share.

    Args:
        keras_model: a built ``keras.Model`` with one input and one output; it is not changed.
        worker_optimizer: name, configuration or instance of the Keras optimizer that makes the
            local steps; None takes that of a compiled model.
        loss: likewise, the loss. With ``categorical_crossentropy`` a label column of class
            indices is one-hot encoded.
        metrics: names or instances of Keras metrics.
        features_col: column of numbers, arrays or ML vectors. Arrays are reshaped to the model's
            input shape, row-major.
        label_col: column of class indices, numbers or arrays.
        num_epoch: passes over the data.
        batch_size: rows in a mini-batch of a worker.
        num_workers: workers, each with its share of the rows.
        communication_window: lambda, mini-batches between two exchanges.
        learning_rate: of the worker optimizer; None leaves it as it is.
        seed: of the shuffles and of everything random in the model.
        memory_mb: MiB of rows that a worker keeps in memory; the rest go to files.
        timeout: seconds that a worker waits for the parameter server.
        custom_objects: classes and functions that Keras does not know, by name.

    Attributes:
        on_progress: called about twice a second on the driver while ``train`` runs.
        history: the ``History`` of the last ``train``.
        report: of the last ``train``: ``rows``, ``rows_merged`` (rows times epochs),
            ``windows``, ``workers``, ``seed``, and ``seconds`` for each phase: "check" the
            arguments and rows, "start" until the first window was merged, "train" until the
            last, "finish".

    Raises:
        ConfigError: for an argument that cannot work; it quotes the value.
    """

    def __init__(
        self,
        keras_model: Any,
        worker_optimizer: Any = None,
        loss: Any = None,
        metrics: Sequence[Any] | None = ("accuracy",),
        *,
        features_col: str = "features",
        label_col: str = "label",
        num_epoch: int = 1,
        batch_size: int = 32,
        num_workers: int = 2,
        communication_window: int = 12,
        learning_rate: float | None = None,
        seed: int = 0,
        memory_mb: int = 256,
        timeout: float = 60.0,
        custom_objects: Mapping[str, Any] | None = None,
    ) -> None:
        self.keras_model = keras_model
        self.worker_optimizer = worker_optimizer
        self.loss = loss
        self.metrics = metrics
        self.features_col = features_col
        self.label_col = label_col
        self.num_epoch = _positive_int("num_epoch", num_epoch)
        self.batch_size = _positive_int("batch_size", batch_size)
        self.num_workers = _positive_int("num_workers", num_workers)
        self.communication_window = _positive_int("communication_window", communication_window)
        self.learning_rate = None
        if learning_rate is not None:
            self.learning_rate = _positive("learning_rate", learning_rate)
        self.seed = seed
        self.memory_mb = _positive("memory_mb", memory_mb)
        self.timeout = _positive("timeout", timeout)
        self.custom_objects = dict(custom_objects or {})
        self.on_progress: Callable[[Progress], None] | None = None
        self.history = History((), ("loss",))
        self.report: dict[str, Any] = {}
        self.rule = self._rule()

    def train(self, dataframe: DataFrame, shuffle: bool = False) -> Any:
        """Trains on a DataFrame.

        Args:
            dataframe: with the columns of features and labels.
            shuffle: draw which worker gets which row. Every worker shuffles its own rows anew
                for each epoch in any case.

        Returns:
            A new, compiled ``keras.Model`` with the center's weights.

        Raises:
            ConfigError: for a model, column or argument that cannot work.
            DataError: for rows that cannot be trained on.
            TrainingDiverged: if a loss or a weight becomes NaN or infinite.
            WorkerFailed: if a worker fails for another reason, and Spark's retries are used up.
            IncompleteTraining: if not every row was merged once an epoch.
        """
        from distkeras.engines import spark

        clock = _PhaseClock()
        self._tell(Progress("check"))
        model, summary, job, server = self._prepare(dataframe)
        clock.ends("check")
        total = summary.rows * self.num_epoch
        rows = spark.select(dataframe, self.features_col, self.label_col)
        spark.train_on_spark(
            spark.deal(rows, self.num_workers, self.seed if shuffle else None),
            job,
            server,
            lambda: self._tell(progress(server, total, time.time())),
        )
        clock.trained(server)
        self._finish(model, server, job, summary)
        clock.ends("finish")
        self.report["seconds"] = clock.seconds
        return model

    def _rule(self) -> Rule:
        raise NotImplementedError("a trainer names its rule")

    def _tell(self, now: Progress) -> None:
        if self.on_progress is not None:
            self.on_progress(now)

    def _prepare(self, dataframe: DataFrame) -> tuple[Any, Summary, Job, ParameterServer]:
        """Everything that can fail before a worker starts."""
        from distkeras import compilation, replica
        from distkeras.engines import spark
        from distkeras.engines.summary import summarise
        from distkeras.engines.task import Job
        from distkeras.worker import Schedule

        names = self.features_col, self.label_col
        arguments = compilation.CompileArguments(
            self.worker_optimizer,
            self.loss,
            self.metrics,
            self._worker_learning_rate(),
            self.custom_objects,
        )
        model = compilation.compiled_copy(self.keras_model, arguments)
        summary = summarise(spark.select(dataframe, *names), names)
        if summary.rows < self.num_workers:
            raise DataError(
                f"the DataFrame has {summary.rows} rows, fewer than num_workers={self.num_workers}"
            )
        spec = replica.ReplicaSpec(
            config=compilation.config_of(model),
            batch_size=self.batch_size,
            window=self.communication_window,
            targets=compilation.check_rows(model, summary, names),
            custom_objects=self.custom_objects,
        )
        # Building one here too finds what would fail on every worker, and names the metrics.
        probe = replica.Replica(spec)
        center = probe.layout.flatten([w.numpy() for w in replica.travelling(model)])
        server = ParameterServer(center, self.rule, tuple(probe.metric_names))
        schedule = Schedule(self.batch_size, self.communication_window, self.num_epoch, self.seed)
        job = Job(
            spec,
            self.rule,
            schedule,
            layout=probe.layout,
            names=names,
            memory=int(self.memory_mb * 2**20),
            timeout=self.timeout,
        )
        return model, summary, job, server

    def _worker_learning_rate(self) -> float | None:
        return self.learning_rate

    def _finish(self, model: Any, server: ParameterServer, job: Job, summary: Summary) -> None:
        from distkeras.replica import travelling

        self.history = History(tuple(server.history), server.metrics)
        self.report = {
            "rows": summary.rows,
            "rows_merged": server.rows_merged,
            "windows": server.clock,
            "workers": self.num_workers,
            "seed": self.seed,
        }
        expected = summary.rows * self.num_epoch
        if server.rows_merged != expected or server.unfinished:
            raise IncompleteTraining(
                f"{server.rows_merged} rows were merged, but {summary.rows} rows x "
                f"{self.num_epoch} epochs = {expected} were to be; "
                f"workers that did not finish: {server.unfinished or 'none'}"
            )
        arrays = job.layout.unflatten(server.center)
        for variable, array in zip(travelling(model), arrays, strict=True):
            variable.assign(array)


class SingleTrainer(Trainer):
    """One worker, one task: what ``model.fit`` does, on a DataFrame.

    Args:
        keras_model: see ``Trainer``.
        worker_optimizer: see ``Trainer``.
        loss: see ``Trainer``.
        metrics: see ``Trainer``.
        **arguments: see ``Trainer``; but ``num_workers``, which is 1.
    """

    def __init__(
        self,
        keras_model: Any,
        worker_optimizer: Any = None,
        loss: Any = None,
        metrics: Sequence[Any] | None = ("accuracy",),
        **arguments: Any,
    ) -> None:
        if arguments.setdefault("num_workers", 1) != 1:
            raise ConfigError(f"num_workers is {arguments['num_workers']!r}, but is 1 here")
        super().__init__(keras_model, worker_optimizer, loss, metrics, **arguments)

    def _rule(self) -> Rule:
        return rules.single()


class DOWNPOUR(Trainer):
    """Asynchronous; the center adds up what the workers did: ``rules.downpour``.

    Args:
        keras_model: see ``Trainer``.
        worker_optimizer: see ``Trainer``.
        loss: see ``Trainer``.
        metrics: see ``Trainer``.
        communication_window: see ``Trainer``.
        **arguments: see ``Trainer``.
    """

    def __init__(
        self,
        keras_model: Any,
        worker_optimizer: Any = None,
        loss: Any = None,
        metrics: Sequence[Any] | None = ("accuracy",),
        *,
        communication_window: int = 5,
        **arguments: Any,
    ) -> None:
        arguments["communication_window"] = communication_window
        super().__init__(keras_model, worker_optimizer, loss, metrics, **arguments)

    def _rule(self) -> Rule:
        return rules.downpour()


class ADAG(Trainer):
    """Asynchronous; the center adds each worker's mean step: ``rules.adag``.

    Args:
        keras_model: see ``Trainer``.
        worker_optimizer: see ``Trainer``.
        loss: see ``Trainer``.
        metrics: see ``Trainer``.
        **arguments: see ``Trainer``.
    """

    def _rule(self) -> Rule:
        return rules.adag()


class AEASGD(Trainer):
    """Asynchronous; workers explore, a spring holds them to the center: ``rules.aeasgd``.

    Args:
        keras_model: see ``Trainer``.
        worker_optimizer: see ``Trainer``.
        loss: see ``Trainer``.
        metrics: see ``Trainer``.
        communication_window: see ``Trainer``.
        rho: how strongly a worker is held; no unit.
        learning_rate: eta of the elastic step, alpha = eta rho; not the worker optimizer's.
        **arguments: see ``Trainer``.

    Raises:
        ConfigError: if rho * learning_rate is not in (0, 1).
    """

    def __init__(
        self,
        keras_model: Any,
        worker_optimizer: Any = None,
        loss: Any = None,
        metrics: Sequence[Any] | None = ("accuracy",),
        *,
        communication_window: int = 32,
        rho: float = 5.0,
        learning_rate: float = 0.1,
        **arguments: Any,
    ) -> None:
        self.rho = _positive("rho", rho)
        arguments.update(communication_window=communication_window, learning_rate=learning_rate)
        super().__init__(keras_model, worker_optimizer, loss, metrics, **arguments)

    def _rule(self) -> Rule:
        assert self.learning_rate is not None
        return rules.aeasgd(self.rho, self.learning_rate)

    def _worker_learning_rate(self) -> None:
        return None


#: Every trainer by its name.
TRAINERS: Mapping[str, type[Trainer]] = {
    "ADAG": ADAG,
    "AEASGD": AEASGD,
    "DOWNPOUR": DOWNPOUR,
    "SingleTrainer": SingleTrainer,
}


class _PhaseClock:
    """Seconds for each phase of ``train``."""

    def __init__(self) -> None:
        self._last = time.time()
        self.seconds: dict[str, float] = {}

    def ends(self, phase: str) -> None:
        """The phase ends now."""
        self._until(phase, time.time())

    def trained(self, server: ParameterServer) -> None:
        """Splits what has passed at the first and the last merged window."""
        if server.history:
            self._until("start", server.history[0].timestamp)
            self._until("train", server.history[-1].timestamp)

    def _until(self, phase: str, now: float) -> None:
        self.seconds[phase] = round(now - self._last, 3)
        self._last = now


def _positive_int(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} is {value!r}, but must be a whole number of at least 1")
    return value


def _positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ConfigError(f"{name} is {value!r}, but must be a number above 0")
    return value
