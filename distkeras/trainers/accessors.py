"""The methods by which users of dist-keras 0.2.1 read and set a trainer's arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from distkeras.codecs import codec_of
from distkeras.errors import ConfigError
from distkeras.history import History
from distkeras.history_views import of_worker, worker_average
from distkeras.rules.arguments import positive, positive_int

if TYPE_CHECKING:
    from distkeras.conversation import Record

__all__ = ["Accessors"]


class Accessors:
    """Get and set; a set value is checked as in the constructor."""

    keras_model: Any
    features_col: Any
    label_col: Any
    num_epoch: int
    batch_size: int
    num_workers: int
    communication_window: int | None
    parallelism_factor: int
    learning_rate: Any
    max_prefetch: int
    compression: str | None
    overlap: bool
    num_parameter_servers: int
    default_window: ClassVar[int | None]
    learning_rate_is_the_rules: ClassVar[bool]
    history: History
    report: dict[str, Any]

    def set_model(self, keras_model: Any) -> None:
        """Has the next ``train`` start from this model."""
        self.keras_model = keras_model

    def get_minibatch_size(self) -> int:
        """Rows in a mini-batch of a worker."""
        return self.batch_size

    def set_minibatch_size(self, minibatch_size: int) -> None:
        """Sets the rows in a mini-batch of a worker."""
        self.batch_size = positive_int("minibatch_size", minibatch_size)

    def get_num_epoch(self) -> int:
        """Passes over the data."""
        return self.num_epoch

    def set_num_epoch(self, num_epoch: int) -> None:
        """Sets the passes over the data."""
        self.num_epoch = positive_int("num_epoch", num_epoch)

    def get_num_workers(self) -> int:
        """Workers."""
        return self.num_workers

    def set_num_workers(self, num_workers: int) -> None:
        """Sets the workers."""
        self.num_workers = positive_int("num_workers", num_workers)

    def get_learning_rate(self) -> Any:
        """Of the rule where it has one, else of the worker optimizer; None: the optimizer's own."""
        return self.learning_rate

    def set_learning_rate(self, learning_rate: Any) -> None:
        """Sets the learning rate, a number or a Keras schedule; None: the optimizer's own."""
        schedule = callable(learning_rate) and hasattr(learning_rate, "get_config")
        if not schedule and not (learning_rate is None and not self.learning_rate_is_the_rules):
            positive("learning_rate", learning_rate)
        self.learning_rate = learning_rate

    def get_communication_window(self) -> int | None:
        """Mini-batches between two exchanges; None for an epoch."""
        return self.communication_window

    def set_communication_window(self, communication_window: int | None) -> None:
        """Sets the mini-batches between two exchanges; None: the trainer's default."""
        window = self.default_window if communication_window is None else communication_window
        if window is not None:
            positive_int("communication_window", window)
        self.communication_window = window

    def get_parallelism_factor(self) -> int:
        """Shares of the rows for each worker."""
        return self.parallelism_factor

    def set_parallelism_factor(self, factor: int) -> None:
        """Sets the shares of the rows for each worker."""
        self.parallelism_factor = positive_int("parallelism_factor", factor)

    def get_max_prefetch(self) -> int:
        """Windows whose rows a worker assembles ahead."""
        return self.max_prefetch

    def set_max_prefetch(self, max_prefetch: int) -> None:
        """Sets the windows whose rows a worker assembles ahead; 0 for none."""
        if max_prefetch != 0 or isinstance(max_prefetch, bool):
            positive_int("max_prefetch", max_prefetch)
        self.max_prefetch = max_prefetch

    def get_compression(self) -> str | None:
        """How vectors travel between workers and center; None for as they are."""
        return self.compression

    def set_compression(self, compression: str | None) -> None:
        """Sets how vectors travel: None, "bfloat16", "int8", "top-k" or "top-k:FRACTION"."""
        codec_of(compression)
        self.compression = compression

    def get_overlap(self) -> bool:
        """Whether a worker trains its next window while one is exchanged."""
        return self.overlap

    def set_overlap(self, overlap: bool) -> None:
        """Sets whether a worker trains its next window while one is exchanged."""
        if not isinstance(overlap, bool):
            raise ConfigError(f"overlap is {overlap!r}, but must be True or False")
        self.overlap = overlap

    def get_num_parameter_servers(self) -> int:
        """Servers that share the center."""
        return self.num_parameter_servers

    def set_num_parameter_servers(self, num_parameter_servers: int) -> None:
        """Sets the servers that share the center; 1: the driver alone."""
        value = positive_int("num_parameter_servers", num_parameter_servers)
        self.num_parameter_servers = value

    def get_features_column(self) -> Any:
        """The name of the features' column, or several."""
        return self.features_col

    def set_features_column(self, features_col: Any) -> None:
        """Sets the name of the features' column, or several."""
        self.features_col = features_col

    def get_label_column(self) -> Any:
        """The name of the label's column, or several."""
        return self.label_col

    def set_label_column(self, label_col: Any) -> None:
        """Sets the name of the label's column, or several."""
        self.label_col = label_col

    def get_training_time(self) -> float:
        """Seconds that the last ``train`` took, checks and start-up included; 0 before."""
        return float(sum(self.report.get("seconds", {}).values()))

    def num_updates(self) -> int:
        """Updates that the last ``train`` merged into the center; 0 before."""
        return int(self.report.get("windows", 0))

    def has_history(self) -> bool:
        """Whether there was a ``train``."""
        return len(self.history.records) > 0

    def get_history(self) -> History:
        """What happened in the last ``train``, window by window."""
        return self.history

    def get_averaged_history(self) -> dict[str, np.ndarray]:
        """The mean over the workers: ``history_views.worker_average``."""
        return worker_average(self.history)

    def get_executor_history(self, executor_id: int) -> list[Record]:
        """The windows of one worker: ``history_views.of_worker``."""
        return of_worker(self.history, executor_id)
