"""Ways to train that are made of several trainings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import inf, nan
from typing import Any, NamedTuple

import numpy as np

from distkeras.compilation import CompileArguments, compiled_copy
from distkeras.engines.conditions import Conditions
from distkeras.errors import ConfigError
from distkeras.monitor import Validation
from distkeras.rules.arguments import positive, positive_int
from distkeras.stopping import better
from distkeras.trainers import EnsembleTrainer, Trainer

__all__ = ["Emperor", "Reign"]

#: The measure by which models are judged; every model has it.
MEASURE = "val_loss"
#: Between the seeds of two epochs: more than there are workers, who take the seeds that follow.
STRIDE = 1_000_003
#: What an epoch changes in the trainer, and what is put back.
BORROWED = ("keras_model", "num_epoch", "worker_optimizer", "learning_rate", "seed")


class Reign(NamedTuple):
    """One epoch under an ``Emperor``.

    Attributes:
        epoch: its number, from 0.
        learning_rate: of the worker optimizer.
        loss: of the training, the mean over its rows.
        measures: of the center after it, on the validation rows: ``val_loss`` and the metrics.
        updates: merged into the center.
        seconds: that it took, start-up included; in a simulation virtual ones.
    """

    epoch: int
    learning_rate: float
    loss: float
    measures: Mapping[str, float]
    updates: int
    seconds: float

    @property
    def val_loss(self) -> float:
        """The loss on the validation rows."""
        return self.measures[MEASURE]


class Emperor:
    """Trains epoch by epoch, and lowers the learning rate when the validation loss stalls.

    After each epoch the center is measured. Where its loss was not lower by more than
    ``min_delta`` for ``patience`` epochs, eta <- max(factor * eta, min_learning_rate), and the
    training goes on from where it is.

    Each epoch is a training of its own: the state of the optimizers (momentum, Adam's moments)
    and of the rule begins anew with it, and the data is read again, so a Spark DataFrame should
    be cached. The center goes on.

    Args:
        trainer: what trains; its own ``num_epoch`` is not used, and nothing of it stays changed
            but its ``history`` and ``report``, which are those of the last epoch. Where its
            ``learning_rate`` is the rule's (the elastic trainers), that stays as it is: it is the
            worker optimizer's rate that is lowered.
        num_epoch: passes over the training rows.
        factor: what the learning rate is multiplied by, in (0, 1).
        patience: epochs without improvement before it is lowered.
        min_delta: what the loss must fall by to count as improved, at least 0.
        min_learning_rate: it is lowered no further.

    Attributes:
        history: a ``Reign`` for each epoch of the last ``optimize``.

    Raises:
        ConfigError: for an argument that cannot work; it quotes the value.
    """

    def __init__(
        self,
        trainer: Trainer,
        num_epoch: int = 15,
        factor: float = 0.1,
        patience: int = 1,
        min_delta: float = 0.005,
        min_learning_rate: float = 1e-6,
    ) -> None:
        self.trainer = _of_one_model(trainer)
        self.num_epoch = positive_int("num_epoch", num_epoch)
        self.factor = positive("factor", factor)
        if self.factor >= 1:
            raise ConfigError(f"factor is {factor!r}, but must be in (0, 1) to lower anything")
        self.patience = positive_int("patience", patience)
        self.min_delta = _not_negative("min_delta", min_delta)
        self.min_learning_rate = positive("min_learning_rate", min_learning_rate)
        self.history: list[Reign] = []

    def optimize(
        self,
        training_set: Any,
        validation_set: Any,
        shuffle: bool = False,
        conditions: Conditions | None = None,
    ) -> Any:
        """Trains, and returns the model with the lowest loss on the validation rows.

        Args:
            training_set: rows, as for ``Trainer.train``.
            validation_set: other rows with the same columns; they are gathered on the driver.
            shuffle: draw for each epoch anew which worker gets which row.
            conditions: of a simulated cluster, as for ``Trainer.simulate``; None trains for real.

        Returns:
            A new, compiled ``keras.Model``, as after the best epoch.

        Raises:
            ConfigError: if the worker optimizer has a schedule, or already learns more slowly
                than ``min_learning_rate``; and as ``Trainer.train``.
            DistkerasError: as ``Trainer.train``.
        """
        self.history = []
        optimizer, rate = self._optimizer()
        stall = _Stall(self.patience, self.min_delta)
        best, lowest = None, nan
        with _borrowed(self.trainer):
            for epoch in range(self.num_epoch):
                self._prepare(epoch, optimizer, rate)
                rows = training_set, validation_set
                model = self.trainer.keras_model = self._train(rows, shuffle, conditions)
                self.history.append(self._reign(epoch, rate))
                found = self.history[-1].val_loss
                if best is None or better(MEASURE, found, lowest):
                    best, lowest = model, found
                if self.trainer.report["stopped"]:
                    break
                if stall.after(found):
                    rate = max(self.factor * rate, self.min_learning_rate)
        return best

    def _optimizer(self) -> tuple[Any, float]:
        """The worker optimizer as the trainer would make it, and its learning rate."""
        trainer = self.trainer
        arguments = CompileArguments(
            trainer.worker_optimizer,
            trainer.loss,
            learning_rate=trainer.optimizer_learning_rate,
            custom_objects=trainer.custom_objects,
        )
        optimizer = compiled_copy(trainer.keras_model, arguments).optimizer
        # Mixed precision wraps the optimizer into one that scales the loss.
        rate = getattr(optimizer, "inner_optimizer", optimizer).get_config()["learning_rate"]
        if not isinstance(rate, float):
            raise ConfigError(
                "the worker optimizer's learning rate is a schedule, which Emperor cannot lower: "
                "give a number"
            )
        if rate < self.min_learning_rate:
            raise ConfigError(
                f"min_learning_rate is {self.min_learning_rate:g}, above the worker optimizer's "
                f"learning rate, {rate:g}"
            )
        return optimizer, rate

    def _prepare(self, epoch: int, optimizer: Any, rate: float) -> None:
        """Has the trainer make one epoch at this rate, in an order of its own."""
        optimizer.learning_rate = rate
        self.trainer.num_epoch = 1
        self.trainer.worker_optimizer = optimizer
        if not self.trainer.learning_rate_is_the_rules:
            self.trainer.learning_rate = None
        if epoch:
            self.trainer.seed = (self.trainer.seed + STRIDE) % 2**32

    def _train(self, rows: tuple[Any, Any], shuffle: bool, conditions: Conditions | None) -> Any:
        training, validation = rows[0], Validation(rows[1])
        if conditions is None:
            return self.trainer.train(training, shuffle, validation=validation)
        return self.trainer.simulate(training, conditions, shuffle, validation=validation)

    def _reign(self, epoch: int, rate: float) -> Reign:
        """What the trainer says of the epoch that it has just made."""
        history, report = self.trainer.history, self.trainer.report
        losses = [record.metrics[0] for record in history.records]
        rows = [record.samples for record in history.records]
        return Reign(
            epoch,
            rate,
            float(np.average(losses, weights=rows)) if rows else nan,
            history.validations[-1].measures,
            report["windows"],
            report.get("virtual_seconds", sum(report["seconds"].values())),
        )


class _Stall:
    """Counts the epochs since a loss has improved."""

    def __init__(self, patience: int, min_delta: float) -> None:
        self._patience, self._min_delta = patience, min_delta
        self._best, self._since = nan, 0

    def after(self, loss: float) -> bool:
        """Takes the next loss in; whether it has stalled, upon which the count begins anew."""
        self._since += 1
        if better(MEASURE, loss, self._best, self._min_delta):
            self._best, self._since = loss, 0
        stalled = self._since >= self._patience
        self._since = 0 if stalled else self._since
        return stalled


@contextmanager
def _borrowed(trainer: Trainer) -> Iterator[None]:
    """Gives the trainer back as it was, also after an error."""
    before = {name: getattr(trainer, name) for name in BORROWED}
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(trainer, name, value)


def _of_one_model(trainer: Any) -> Trainer:
    if not isinstance(trainer, Trainer) or isinstance(trainer, EnsembleTrainer):
        name = type(trainer).__name__
        raise ConfigError(f"trainer is {name}, but must be a trainer of one model, such as ADAG")
    return trainer


def _not_negative(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < inf:
        raise ConfigError(f"{name} is {value!r}, but must be a number of at least 0")
    return float(value)
