"""Looking at a center while it is trained: validating it, keeping the best, stopping."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

import numpy as np
import pytest

from distkeras.errors import ConfigError
from distkeras.monitor import Monitor, Validation, check_measures
from distkeras.rules import downpour
from distkeras.server import ParameterServer
from distkeras.stopping import (
    Deadline,
    NoImprovement,
    Standing,
    TargetLoss,
    TargetMetric,
    Validated,
    better,
)
from tests.linear import server_of, update


def seen(*values: float, name: str = "val_loss") -> Standing:
    """A training whose validations found these values."""
    return Standing(
        1.0, 0.5, [Validated(n, n, 0.0, {name: value}) for n, value in enumerate(values)]
    )


@pytest.mark.parametrize(
    ("condition", "standing", "reason"),
    [
        (TargetLoss(0.5), Standing(1.0, 0.5), "loss 0.5"),
        (TargetLoss(0.5), Standing(1.0, 0.51), ""),
        (TargetLoss(0.5), Standing(1.0, nan), ""),
        (TargetMetric("val_loss", 0.3), seen(0.1, 0.4), ""),
        (TargetMetric("val_loss", 0.3), seen(0.4, 0.3), "val_loss 0.3"),
        (TargetMetric("val_accuracy", 0.9), seen(0.91, name="val_accuracy"), "val_accuracy 0.91"),
        (TargetMetric("val_accuracy", 0.9), seen(0.89, name="val_accuracy"), ""),
        (TargetMetric("val_loss", 0.3), seen(), ""),
        (NoImprovement(patience=2), seen(0.5, 0.4, 0.4), ""),
        (NoImprovement(patience=2), seen(0.5, 0.4, 0.4, 0.41), "val_loss no better than 0.4"),
        (NoImprovement(patience=2), seen(0.5, 0.4, 0.41, 0.39, 0.4), ""),
        (NoImprovement(patience=2, min_delta=0.1), seen(0.5, 0.45, 0.41), "val_loss no better"),
        (NoImprovement("val_auc", 1), seen(0.5, 0.6, name="val_auc"), ""),
        (NoImprovement("val_auc", 1), seen(0.6, 0.5, name="val_auc"), "val_auc no better than 0.6"),
        (NoImprovement(patience=2), seen(nan, nan, 0.5), ""),
        (Deadline(1.0), Standing(0.9), ""),
        (Deadline(1.0), Standing(1.0), "1 s have passed"),
    ],
)
def test_a_condition_says_why_or_nothing(
    condition: TargetLoss | TargetMetric | NoImprovement | Deadline, standing: Standing, reason: str
) -> None:
    said = condition.reason(standing)
    assert said.startswith(reason) if reason else said == ""


@pytest.mark.parametrize("name", ["val_loss", "val_mean_squared_error", "val_rmse", "val_mae"])
def test_of_losses_and_errors_less_is_better(name: str) -> None:
    assert better(name, 0.1, 0.2)
    assert not better(name, 0.2, 0.1)
    assert not better("val_accuracy", 0.1, 0.2)
    assert better(name, 0.9, 0.5, mode="max")
    assert not better(name, 0.1, 0.2, mode="max")
    assert better(name, 0.1, nan)
    assert not better(name, nan, 0.1)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: TargetLoss(nan), "TargetLoss is nan"),
        (lambda: TargetMetric("val_auc", float("inf")), "TargetMetric of 'val_auc' is inf"),
        (lambda: NoImprovement(patience=0), "patience is 0"),
        (lambda: NoImprovement(patience=1.5), "patience is 1.5"),
        (lambda: Deadline(0), "Deadline is 0 s"),
        (lambda: TargetMetric("val_auc", 0.5, mode="up"), "mode is 'up'"),
        (lambda: Validation(None, mode="least"), "mode is 'least'"),
        (lambda: Validation(None, keep_best=1), "keep_best is 1"),  # type: ignore[arg-type]
        (lambda: Validation(None, every_epochs="1"), "every_epochs is '1'"),  # type: ignore[arg-type]
        (lambda: Validation(None, every_epochs=0), "every_epochs is 0"),
        (lambda: Validation(None, every_seconds=-1.0), "every_seconds is -1.0"),
        (lambda: Validation(None, every_epochs=None), "needs every_epochs or every_seconds"),
    ],
)
def test_what_cannot_happen_is_refused(make: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        make()


def test_a_measure_that_will_not_be_there_is_named_before_training() -> None:
    validation = Validation(None, keep_best="val_loss")
    check_measures([NoImprovement(), Deadline(1.0)], validation, ["loss", "accuracy"])
    with pytest.raises(ConfigError, match="no measure 'val_acuracy'; the nearest is 'val_accuracy"):
        check_measures([TargetMetric("val_acuracy", 1.0)], validation, ["loss", "accuracy"])
    with pytest.raises(ConfigError, match="no measure 'val_auc'"):
        check_measures([], Validation(None, keep_best="val_auc"), ["loss"])
    with pytest.raises(ConfigError, match="to stop by 'val_loss' train needs a validation"):
        check_measures([NoImprovement()], None, ["loss"])


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def watched(**fields: object) -> tuple[ParameterServer, Monitor, Clock]:
    """A server with one worker, and its monitor; an epoch has 8 rows, a window 4."""
    server, clock = server_of(downpour()), Clock()
    server.now, server.workers = clock, 1
    server.join(0, 0, rows=8)

    def measure(center: np.ndarray) -> dict[str, float]:
        return {"val_loss": float(abs(3.0 - center[0]))}

    return server, Monitor(server, 8, measure=measure, **fields), clock  # type: ignore[arg-type]


def test_the_center_is_measured_once_an_epoch() -> None:
    server, monitor, _ = watched(validation=Validation(None))
    for n in range(6):
        server.exchange(update(n, [1, 0, 0]))
        monitor.look()
        monitor.look()
    assert [(one.rows, one.epoch) for one in monitor.validations] == [(8, 1), (16, 2), (24, 3)]
    assert [one.measures["val_loss"] for one in monitor.validations] == [1, 1, 3]


def test_a_condition_sees_the_windows_and_how_many_rows_an_epoch_has() -> None:
    seen: list[Standing] = []

    class Looks:
        def reason(self, standing: Standing) -> str:
            seen.append(standing._replace(windows=list(standing.windows)))
            return "enough" if len(standing.windows) == 2 else ""

    server, monitor, _ = watched(conditions=(Looks(),))
    for n in range(3):
        server.exchange(update(n, [1, 0, 0]))
        monitor.look()
    assert [sum(window.samples for window in one.windows) for one in seen] == [4, 8]
    assert {(one.metrics[0], one.rows) for one in seen} == {("loss", 8)}
    assert server.stopped == "enough"


def test_the_center_is_measured_by_the_clock_if_it_has_changed() -> None:
    server, monitor, clock = watched(
        validation=Validation(None, every_epochs=None, every_seconds=10)
    )
    clock.now = 50.0
    monitor.look()
    assert monitor.validations == []
    server.exchange(update(0))
    monitor.look()
    clock.now = 55.0
    server.exchange(update(1))
    monitor.look()
    clock.now = 60.0
    monitor.look()
    assert [(one.rows, one.timestamp) for one in monitor.validations] == [(4, 50), (8, 60)]


def test_the_last_center_is_measured_at_the_end_but_not_twice() -> None:
    server, monitor, _ = watched(validation=Validation(None, every_epochs=2))
    for n in range(5):
        server.exchange(update(n))
        monitor.look()
    monitor.finish()
    monitor.finish()
    assert [one.rows for one in monitor.validations] == [16, 20]


def test_the_best_center_is_kept() -> None:
    server, monitor, _ = watched(validation=Validation(None, keep_best="val_loss"))
    for n in range(10):
        server.exchange(update(n, [0.5, 0, 0]))
        monitor.look()
    assert monitor.best is not None
    assert monitor.best.tolist() == [3, 0, 0]


def test_the_first_reason_stops_the_workers_and_is_kept() -> None:
    server, monitor, clock = watched(conditions=(Deadline(5.0), Deadline(3.0)))
    server.exchange(update(0))
    monitor.look()
    assert not server.stopped
    clock.now = 9.0
    monitor.look()
    assert server.stopped == "5 s have passed"
    assert server.exchange(update(1)).stop


def test_the_training_loss_counts_only_when_there_is_enough_of_it() -> None:
    server, monitor, _ = watched(conditions=(TargetLoss(0.5),))
    server.exchange(update(0))
    monitor.look()
    assert not server.stopped
    server.exchange(update(1))  # That is an epoch.
    monitor.look()
    assert server.stopped == "loss 0.5"


def test_in_a_long_epoch_twenty_windows_are_enough() -> None:
    server, monitor, _ = watched(conditions=(TargetLoss(0.5),))
    monitor.rows = 10_000
    for n in range(20):
        assert not server.stopped
        server.exchange(update(n))
        monitor.look()
    assert server.stopped == "loss 0.5"


def test_whoever_asks_is_heard() -> None:
    server, monitor, _ = watched()
    monitor.look()
    monitor.stop("asked to")
    monitor.look()
    assert server.stopped == "asked to"
