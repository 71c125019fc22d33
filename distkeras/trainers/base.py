"""What all trainers share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from distkeras.callbacks import check_callbacks
from distkeras.checkpoints import Checkpoint
from distkeras.course import Course
from distkeras.engines.conditions import Conditions
from distkeras.errors import ConfigError
from distkeras.history import History, PhaseClock, Progress
from distkeras.monitor import Validation
from distkeras.observers import Observer
from distkeras.rules import Rule
from distkeras.rules.arguments import positive, positive_int
from distkeras.stopping import StopCondition
from distkeras.trainers.accessors import Accessors

if TYPE_CHECKING:
    from distkeras.training import Training

__all__ = ["Trainer"]


class Trainer(Accessors, ABC):
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
        parallelism_factor: shares of the rows for each worker; more than 1 evens out workers that
            are not equally fast, where Spark has fewer slots than shares.
        learning_rate: of the worker optimizer; None leaves it as it is. A Keras schedule in the
            worker optimizer follows the mini-batches that all workers have merged.
        seed: of the shuffles and of everything random in the model.
        memory_mb: MiB of rows that a worker keeps in memory; the rest go to files.
        compression: how vectors travel between workers and center: None for as they are,
            "bfloat16", "int8", "top-k" for the largest 1 % of the weights, or "top-k:0.05".
        max_prefetch: windows whose rows a worker assembles ahead, in a thread, while it trains.
        overlap: train a worker's next window while one is exchanged, and correct it by the answer
            afterwards: ``distkeras.overlap``. For asynchronous rules.
        num_parameter_servers: processes beside the driver that share the center, for where one
            server is what workers wait for: ``distkeras.shards``. 1: the driver has it all.
        timeout: seconds that a worker waits for the parameter server, and of its silence after
            which Spark's next attempt at its rows may take over.
        worker_timeout: seconds that a worker may be connected and silent before the training
            fails; a worker that computes is not silent.
        round_timeout: seconds that the workers of a synchronous rule wait for the last of them.
        master_port: of the parameter server on the driver; 0 for any free one.
        custom_objects: classes and functions that Keras does not know, by name.
        loss_weights: how much each output's loss counts: a list or a dict by the outputs' names.
        sample_weight_col: column of numbers of at least 0: how much a row counts in the loss.
        class_weight: how much a row counts by its class, a dict of class index and weight; 1
            where a class is left out. Both are multiplied.
        callbacks: Keras callbacks, of which each worker has its own copy: ``callbacks.Callbacks``.

    Attributes:
        on_progress: called about twice a second on the driver while ``train`` runs.
        history: the ``History`` of the last ``train``.
        report: of the last ``train``: ``rows``, ``rows_merged`` (rows times epochs, unless it was
            stopped), ``rows_resumed`` (those of them that are from a checkpoint), ``windows``,
            ``workers``, ``run`` (what the log calls it), ``seed``, ``stopped`` (why, or ""),
            ``exchange_cpu_seconds`` (of the server's processor, for one window on average; 0 in a
            simulation), and ``seconds`` for each phase: "check" the arguments and rows, "start"
            until the first window was merged, "train" until the last, "finish". Of a simulation
            also ``virtual_seconds``, and "train" is all of the real ones.

    Raises:
        ConfigError: for an argument that cannot work; it quotes the value.
    """

    default_workers: ClassVar[int] = 2
    default_window: ClassVar[int | None] = 12
    #: Whether ``learning_rate`` is a parameter of the rule, not of the worker optimizer.
    learning_rate_is_the_rules: ClassVar[bool] = False

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
        loss_weights: Sequence[float] | Mapping[str, float] | float | None = None,
        sample_weight_col: str | None = None,
        class_weight: Mapping[int, float] | None = None,
        callbacks: Sequence[Any] = (),
        custom_objects: Mapping[str, Any] | None = None,
        parallelism_factor: int = 1,
        seed: int = 0,
        memory_mb: float = 256,
        max_prefetch: int = 0,
        compression: str | None = None,
        overlap: bool = False,
        num_parameter_servers: int = 1,
        timeout: float = 60.0,
        worker_timeout: float = 600.0,
        round_timeout: float = 600.0,
        master_port: int = 0,
    ) -> None:
        self.keras_model = keras_model
        self.worker_optimizer = worker_optimizer
        self.loss = loss
        self.metrics = metrics
        self.features_col = features_col
        self.label_col = label_col
        self.num_epoch = positive_int("num_epoch", num_epoch)
        self.batch_size = positive_int("batch_size", batch_size)
        workers = self.default_workers if num_workers is None else num_workers
        self.num_workers = positive_int("num_workers", workers)
        self.set_communication_window(communication_window)
        self.learning_rate: Any = None
        self.set_learning_rate(learning_rate)
        self.loss_weights = loss_weights
        self.sample_weight_col = sample_weight_col
        self.class_weight = class_weight
        self.callbacks = check_callbacks(callbacks)
        if custom_objects is not None and not isinstance(custom_objects, Mapping):
            raise ConfigError(f"custom_objects is {custom_objects!r}, but must be a dict by names")
        self.custom_objects = dict(custom_objects or {})
        self.parallelism_factor = positive_int("parallelism_factor", parallelism_factor)
        self.seed = _whole("seed", seed, 2**32 - 1)
        self.memory_mb = positive("memory_mb", memory_mb)
        self.set_max_prefetch(max_prefetch)
        self.set_compression(compression)
        self.set_overlap(overlap)
        self.set_num_parameter_servers(num_parameter_servers)
        self.timeout = positive("timeout", timeout)
        self.worker_timeout = positive("worker_timeout", worker_timeout)
        self.round_timeout = positive("round_timeout", round_timeout)
        self.master_port = _whole("master_port", master_port, 2**16 - 1)
        self.on_progress: Callable[[Progress], None] | None = None
        self.history = History((), ("loss",))
        self.report: dict[str, Any] = {}
        self._training: Training | None = None
        self._asked = ""
        self._check()

    def train(
        self,
        dataframe: Any,
        shuffle: bool = False,
        *,
        validation: Validation | None = None,
        stop: Sequence[StopCondition] = (),
        checkpoint: Checkpoint | None = None,
        observers: Sequence[Observer] = (),
    ) -> Any:
        """Trains on rows.

        Args:
            dataframe: a Spark DataFrame, which is trained on by tasks of its session; or a pandas
                DataFrame, an Arrow table or a dict of arrays, by processes of this machine.
            shuffle: draw which worker gets which row. Every worker shuffles its own rows anew
                for each epoch in any case.
            validation: how the center is measured meanwhile; the results are in ``history``.
            stop: conditions, of which the first to be met ends the training in all workers.
            checkpoint: where the training is saved now and then, and gone on from where an
                earlier process was killed.
            observers: that are shown the training as it goes, such as ``observers.EventFiles``.

        Returns:
            A new, compiled ``keras.Model`` with the center's weights, or with those of the best
            center if ``validation`` keeps it.

        Raises:
            ConfigError: for a model, column or argument that cannot work.
            DataError: for rows that cannot be trained on.
            TrainingDiverged: if a loss or a weight becomes NaN or infinite.
            WorkerFailed: if a worker fails for another reason, and its retries are used up.
            IncompleteTraining: if not every row was merged once an epoch.
        """
        return self._train(
            dataframe, Course(shuffle, validation, stop, checkpoint, observers=observers)
        )

    def simulate(
        self,
        rows: Any,
        conditions: Conditions | None = None,
        shuffle: bool = False,
        *,
        validation: Validation | None = None,
        stop: Sequence[StopCondition] = (),
        observers: Sequence[Observer] = (),
    ) -> Any:
        """Trains by virtual workers in this process, on a virtual clock; otherwise as ``train``.

        Args:
            rows: a pandas DataFrame, an Arrow table or a dict of arrays.
            conditions: how fast the workers and the network are; None: equally fast workers, a
                second for a mini-batch, and no delay.
            shuffle: as for ``train``.
            validation: likewise; its seconds are virtual.
            stop: likewise.
            observers: likewise; what they are shown has virtual times.
        """
        virtual = Conditions() if conditions is None else conditions
        return self._train(
            rows, Course(shuffle, validation, stop, conditions=virtual, observers=observers)
        )

    def stop(self, reason: str = "asked to") -> None:
        """Ends the training that runs, from ``on_progress`` or another thread.

        ``train`` then returns what was learned until then.
        """
        self._asked = self._asked or reason
        if self._training is not None:
            self._training.monitor.stop(self._asked)

    @property
    def rule(self) -> Rule:
        """The distributed optimizer, with this trainer's arguments."""
        return self._rule()

    @property
    def optimizer_learning_rate(self) -> Any:
        """The learning rate that the worker optimizer is given; None leaves its own."""
        return None if self.learning_rate_is_the_rules else self.learning_rate

    @property
    def nesterov(self) -> float | None:
        """Momentum that the worker optimizer is given where the paper wants it; else None."""
        return None

    def _train(self, rows: Any, course: Course) -> Any:
        from distkeras.training import Training

        self._check()
        clock = PhaseClock()
        self._asked = ""
        self.history, self.report = History((), ("loss",)), {}
        self._tell(Progress("check"))
        with Training(self, rows, course) as training:
            clock.ends("check")
            trained = self._run(training, clock, simulated=course.conditions is not None)
        clock.ends("finish")
        self.report["seconds"] = clock.seconds
        return trained

    def _run(self, training: Training, clock: PhaseClock, simulated: bool) -> Any:
        self._training = training
        if self._asked:
            training.monitor.stop(self._asked)
        try:
            training.run(self._tell)
        finally:
            # Of a training that failed, too: its history may say why.
            self._training = None
            self.history, self.report = training.history, training.report
        if simulated:
            clock.ends("train")
        else:
            clock.trained(training.server)
        return self._trained(training)

    @abstractmethod
    def _rule(self) -> Rule:
        """The distributed optimizer, with this trainer's arguments."""

    def _trained(self, training: Training) -> Any:
        """What ``train`` returns."""
        return training.plan.model(training.center)

    def _check(self) -> None:
        """Refuses arguments that do not go together."""
        if self.rule.synchronous and self.parallelism_factor > 1:
            raise ConfigError(
                f"parallelism_factor is {self.parallelism_factor}, but must be 1: "
                f"{self.rule.name} trains all shares at the same time"
            )
        if self.rule.synchronous and self.overlap:
            raise ConfigError(
                f"overlap is True, but {self.rule.name}'s workers wait for each other"
            )

    def _tell(self, now: Progress) -> None:
        if self.on_progress is not None:
            self.on_progress(now)


def _whole(name: str, value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ConfigError(f"{name} is {value!r}, but must be a whole number from 0 to {most}")
    return value
