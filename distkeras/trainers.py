"""What users touch: a trainer for each distributed optimizer.

Every trainer takes a Keras model and keyword arguments, and ``train(dataframe)`` returns a
trained Keras model. A trainer differs from the next by its rule and its defaults, no more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from distkeras import rules
from distkeras.errors import ConfigError
from distkeras.history import History, PhaseClock, Progress
from distkeras.rules import Rule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["ADAG", "AEASGD", "DOWNPOUR", "TRAINERS", "SingleTrainer", "Trainer"]


class Trainer(ABC):
    """What all trainers share.

    Args:
        keras_model: a built ``keras.Model``; it is not changed.
        worker_optimizer: name, configuration or instance of the Keras optimizer that makes the
            local steps; None takes that of a compiled model.
        loss: likewise, the loss; for several outputs also a list or a dict by their names. With
            ``categorical_crossentropy`` a label column of class indices is one-hot encoded.
        metrics: names or instances of Keras metrics; for several outputs also a list with an
            entry for each or a dict by their names.
        features_col: column of numbers, arrays or ML vectors; for several inputs a list of such,
            in the order of ``keras_model.inputs``. Arrays are reshaped to the input's shape,
            row-major.
        label_col: column of class indices, numbers or arrays; for several outputs a list of such,
            in the order of ``keras_model.outputs``.
        num_epoch: passes over the data.
        batch_size: rows in a mini-batch of a worker.
        num_workers: workers, each with its share of the rows; 2 where it is not given.
        communication_window: lambda, mini-batches between two exchanges; each trainer has its own
            default.
        learning_rate: of the worker optimizer; None leaves it as it is. A Keras schedule in the
            worker optimizer follows the mini-batches that all workers have merged.
        seed: of the shuffles and of everything random in the model.
        memory_mb: MiB of rows that a worker keeps in memory; the rest go to files.
        timeout: seconds that a worker waits for the parameter server.
        custom_objects: classes and functions that Keras does not know, by name.
        loss_weights: how much each output's loss counts: a list or a dict by the outputs' names.
        sample_weight_col: column of numbers of at least 0: how much a row counts in the loss.
        class_weight: how much a row counts by its class, a dict of class index and weight; 1
            where a class is left out. Both are multiplied.

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

    default_workers: ClassVar[int] = 2
    default_window: ClassVar[int] = 12

    def __init__(
        self,
        keras_model: Any,
        worker_optimizer: Any = None,
        loss: Any = None,
        metrics: Sequence[Any] | Mapping[str, Any] | None = ("accuracy",),
        *,
        features_col: str | Sequence[str] = "features",
        label_col: str | Sequence[str] = "label",
        num_epoch: int = 1,
        batch_size: int = 32,
        num_workers: int | None = None,
        communication_window: int | None = None,
        learning_rate: float | None = None,
        seed: int = 0,
        memory_mb: int = 256,
        timeout: float = 60.0,
        custom_objects: Mapping[str, Any] | None = None,
        loss_weights: Sequence[float] | Mapping[str, float] | float | None = None,
        sample_weight_col: str | None = None,
        class_weight: Mapping[int, float] | None = None,
    ) -> None:
        self.keras_model = keras_model
        self.worker_optimizer = worker_optimizer
        self.loss = loss
        self.metrics = metrics
        self.features_col = features_col
        self.label_col = label_col
        self.num_epoch = _positive_int("num_epoch", num_epoch)
        self.batch_size = _positive_int("batch_size", batch_size)
        workers = self.default_workers if num_workers is None else num_workers
        self.num_workers = _positive_int("num_workers", workers)
        window = self.default_window if communication_window is None else communication_window
        self.communication_window = _positive_int("communication_window", window)
        self.learning_rate = None
        if learning_rate is not None:
            self.learning_rate = _positive("learning_rate", learning_rate)
        self.seed = _seed(seed)
        self.memory_mb = _positive("memory_mb", memory_mb)
        self.timeout = _positive("timeout", timeout)
        self.custom_objects = dict(custom_objects or {})
        self.loss_weights = loss_weights
        self.sample_weight_col = sample_weight_col
        self.class_weight = class_weight
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
        from distkeras.training import Training

        clock = PhaseClock()
        self._tell(Progress("check"))
        training = Training(self, dataframe)
        clock.ends("check")
        training.run(self.seed if shuffle else None, self._tell)
        clock.trained(training.server)
        self.history, self.report = training.history, training.report
        model = training.finish()
        clock.ends("finish")
        self.report["seconds"] = clock.seconds
        return model

    @abstractmethod
    def _rule(self) -> Rule:
        """The distributed optimizer, with this trainer's arguments."""

    def _tell(self, now: Progress) -> None:
        if self.on_progress is not None:
            self.on_progress(now)

    @property
    def optimizer_learning_rate(self) -> float | None:
        """The learning rate that the worker optimizer is given; None leaves its own."""
        return self.learning_rate


class SingleTrainer(Trainer):
    """One worker, one task: what ``model.fit`` does, on a DataFrame; arguments as ``Trainer``."""

    default_workers = 1

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self.num_workers != 1:
            raise ConfigError(f"num_workers is {self.num_workers}, but a SingleTrainer has 1")

    def _rule(self) -> Rule:
        return rules.single()


class DOWNPOUR(Trainer):
    """Asynchronous; the center adds up what the workers did: ``rules.downpour``.

    Arguments as ``Trainer``; the communication window is 5 where it is not given.
    """

    default_window = 5

    def _rule(self) -> Rule:
        return rules.downpour()


class ADAG(Trainer):
    """Asynchronous; the center adds each worker's mean step: ``rules.adag``.

    Arguments as ``Trainer``; the communication window is 12 where it is not given.
    """

    def _rule(self) -> Rule:
        return rules.adag()


class AEASGD(Trainer):
    """Asynchronous; workers explore, a spring holds them to the center: ``rules.aeasgd``.

    Args:
        *arguments: as ``Trainer``; the communication window is 32 where it is not given.
        rho: how strongly a worker is held; no unit.
        learning_rate: eta of the elastic step, alpha = eta rho; not the worker optimizer's.
        **keywords: as ``Trainer``.

    Raises:
        ConfigError: if rho * learning_rate is not in (0, 1).
    """

    default_window = 32

    def __init__(
        self, *arguments: Any, rho: float = 5.0, learning_rate: float = 0.1, **keywords: Any
    ) -> None:
        self.rho = _positive("rho", rho)
        _positive("learning_rate", learning_rate)
        super().__init__(*arguments, learning_rate=learning_rate, **keywords)

    def _rule(self) -> Rule:
        assert self.learning_rate is not None
        return rules.aeasgd(self.rho, self.learning_rate)

    @property
    def optimizer_learning_rate(self) -> None:
        """None: the learning rate is the elastic step's."""
        return None


#: Every trainer by its name.
TRAINERS: Mapping[str, type[Trainer]] = {
    "ADAG": ADAG,
    "AEASGD": AEASGD,
    "DOWNPOUR": DOWNPOUR,
    "SingleTrainer": SingleTrainer,
}


def _positive_int(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} is {value!r}, but must be a whole number of at least 1")
    return value


def _seed(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise ConfigError(f"seed is {value!r}, but must be a whole number from 0 to 2**32 - 1")
    return value


def _positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < inf:
        raise ConfigError(f"{name} is {value!r}, but must be a number above 0")
    return value
