"""Keras callbacks on every worker, driven by its windows.

Each worker has its own copy of the callbacks, and its own model, whose weights are the worker's:
what a callback assigns to them is lost, because a window begins with the weights that the rule
says. What it assigns to the optimizer, such as a learning rate, stays on that worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from distkeras.errors import CallbackFailed, ConfigError, DistkerasError

if TYPE_CHECKING:
    from distkeras.schedule import Step
    from distkeras.worker import Trained

__all__ = ["Callbacks", "Trainee", "check_callbacks"]

#: Callbacks that need one loop over all of the training, and what does their work here.
INSTEAD = {
    "BackupAndRestore": "a failed worker is resumed without it",
    "EarlyStopping": "use stop=[NoImprovement(...)]",
    "ReduceLROnPlateau": "use distkeras.schemes.Emperor",
}
#: Likewise for those that keep the best of several models by its validation.
KEEP_BEST = "use Validation(keep_best=...)"


class Trainee(Protocol):
    """What the callbacks are shown of a worker's replica."""

    @property
    def model(self) -> Any:
        """The Keras model, in the state in which this worker has it."""

    @property
    def metric_names(self) -> list[str]:
        """Of what a window reports."""


class Callbacks:
    """Tells a worker's Keras callbacks of its windows; a ``Listener``.

    ``on_train_batch_begin`` and ``on_train_batch_end`` are called once a window, with the number of
    its first and its last mini-batch in the epoch, as with Keras' ``steps_per_execution``. A window
    belongs to the epoch in which it ends; an epoch in which none ends is passed over.
    ``on_epoch_end`` gets the mean of the epoch's windows, weighted by their rows; there are no
    ``val_`` measures on a worker. A later attempt at a partition begins with ``on_train_begin``,
    in the epoch where the earlier one was lost.

    Args:
        callbacks: this worker's own.
        replica: its model.
        params: for ``set_params``: "epochs", "steps" (mini-batches in an epoch), "verbose",
            "worker" (its number, by which a callback that writes a file can name it).
    """

    def __init__(
        self, callbacks: Sequence[Any], replica: Trainee, params: Mapping[str, Any]
    ) -> None:
        self._callbacks = callbacks
        self._replica = replica
        self._params = dict(params)
        self._epoch: int | None = None
        self._sums = np.zeros(0)
        self._rows = 0

    def before(self, step: Step) -> None:
        """See ``Listener``.

        Raises:
            CallbackFailed: if a callback raises, or sets ``model.stop_training``.
        """
        if self._epoch is None:
            self._begin()
        if step.epoch != self._epoch:
            self._end_epoch()
            self._epoch, self._rows = step.epoch, 0
            self._call("on_epoch_begin", step.epoch, {})
        self._call("on_train_batch_begin", max(0, step.batch + 1 - step.batches), {})

    def after(self, step: Step, trained: Trained) -> None:
        """See ``Listener``; raises as ``before``."""
        metrics = np.asarray(trained.metrics, np.float64)
        self._sums = metrics * step.rows + (self._sums if self._rows else 0.0)
        self._rows += step.rows
        self._call("on_train_batch_end", step.batch, self._logs(metrics))

    def finished(self) -> None:
        """See ``Listener``; raises as ``before``."""
        if self._epoch is not None:
            logs = self._end_epoch()
            self._call("on_train_end", logs)

    def _begin(self) -> None:
        model = self._replica.model
        model.stop_training = False
        for callback in self._callbacks:
            callback.set_model(model)
            callback.set_params(dict(self._params))
        self._call("on_train_begin", {})

    def _end_epoch(self) -> dict[str, float]:
        if self._epoch is None:
            return {}
        logs = self._logs(self._sums / self._rows)
        self._call("on_epoch_end", self._epoch, logs)
        return logs

    def _logs(self, metrics: Any) -> dict[str, float]:
        return dict(zip(self._replica.metric_names, map(float, metrics), strict=True))

    def _call(self, hook: str, *arguments: Any) -> None:
        # Asked for each time: virtual workers share one model, which this makes this worker's.
        model = self._replica.model
        for callback in self._callbacks:
            name = type(callback).__name__
            try:
                getattr(callback, hook)(*arguments)
            except DistkerasError:
                raise
            except Exception as error:
                line = (str(error).strip() or "no message").splitlines()[0]
                place = f"callback {name} failed in {hook} on worker {self._params['worker']}"
                raise CallbackFailed(f"{place}: {type(error).__name__}: {line}") from error
            if model.stop_training:
                raise CallbackFailed(
                    f"callback {name} set model.stop_training in {hook} on worker "
                    f"{self._params['worker']}, but a Keras callback cannot stop the other "
                    "workers: use stop=[...]"
                )


def check_callbacks(callbacks: Any, model: Any = None) -> tuple[Any, ...]:
    """Refuses what cannot work on a worker, before anything is trained.

    Args:
        callbacks: Keras callbacks.
        model: compiled, that they are for; None checks what is known without it.

    Returns:
        The callbacks.

    Raises:
        ConfigError: names the callback, and what to use in its place.
    """
    if not isinstance(callbacks, Sequence) or isinstance(callbacks, str):
        raise ConfigError(f"callbacks is {type(callbacks).__name__}, but must be a list")
    if not callbacks:
        return ()
    import keras

    for callback in callbacks:
        name = type(callback).__name__
        if not isinstance(callback, keras.callbacks.Callback):
            raise ConfigError(f"callbacks: {name} is no keras.callbacks.Callback")
        _check_alone(callback, name)
        if isinstance(callback, keras.callbacks.LearningRateScheduler) and _scheduled(model):
            raise ConfigError(
                f"callbacks: {name} cannot change the learning rate, which is a schedule; "
                "give the worker optimizer a number"
            )
    return tuple(callbacks)


def _check_alone(callback: Any, name: str) -> None:
    """Whether one worker's windows are all that it needs."""
    import keras

    for kind, instead in INSTEAD.items():
        if isinstance(callback, getattr(keras.callbacks, kind)):
            raise ConfigError(f"callbacks: {name} needs one loop for all workers; {instead}")
    monitored = str(getattr(callback, "monitor", ""))
    if getattr(callback, "save_best_only", False) and monitored.startswith("val_"):
        raise ConfigError(f"callbacks: a worker has no {monitored!r} for {name}; {KEEP_BEST}")


def _scheduled(model: Any) -> bool:
    import keras

    if model is None:
        return False
    # Mixed precision wraps the optimizer into one that scales the loss.
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return isinstance(optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule)
