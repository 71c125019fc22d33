from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from distkeras.compilation import CompileArguments, compiled_copy, config_of
from distkeras.replica import Replica, ReplicaSpec, travelling
from distkeras.replica.center_clock import CenterClock, on_center_clock

DECAY = keras.optimizers.schedules.ExponentialDecay(0.5, decay_steps=10, decay_rate=0.5)


def line(optimizer: Any, **changes: Any) -> Any:
    """y = w x: the gradient of -y at x = 1 is -1, so a step of SGD is the learning rate."""
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
    )
    return compiled_copy(model, CompileArguments(optimizer, upwards, [], **changes))


@keras.saving.register_keras_serializable("tests")
def upwards(goal: Any, output: Any) -> Any:
    return -output[:, 0] + 0.0 * goal[:, 0]


def replica_of(model: Any, jit: bool) -> Replica:
    return Replica(ReplicaSpec(config_of(model), batch_size=2, window=3, jit=jit))


def rows(batches: float) -> dict[str, np.ndarray]:
    ones = np.ones(int(2 * batches), np.float32)
    return {"x0": ones, "y0": ones}


@pytest.mark.parametrize("jit", [False, True])
def test_the_rates_are_those_of_the_centers_clock(jit: bool) -> None:
    mine = replica_of(line(keras.optimizers.SGD(DECAY)), jit)
    zero = np.zeros(1, np.float32)
    for clock in (0, 1, 40, 7):  # It may well go back: another worker, the same replica.
        for batches in (1, 2.5, 3):
            moved = float(mine.run(zero, rows(batches), clock).weights[0])
            rates = [0.5 * 0.5 ** ((clock + k) / 10) for k in range(int(np.ceil(batches)))]
            assert moved == pytest.approx(sum(rates), rel=1e-6)


def test_other_clocks_need_no_new_trace() -> None:
    calls = []

    @keras.saving.register_keras_serializable("tests")
    class Counted(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            calls.append(1)
            return 1.0 / (1.0 + keras.ops.cast(step, "float32"))

        def get_config(self) -> dict[str, Any]:
            return {}

    mine = replica_of(line(keras.optimizers.SGD(Counted())), jit=False)
    zero = np.zeros(1, np.float32)
    mine.run(zero, rows(3), 0)
    before = len(calls)
    assert mine.run(zero, rows(3), 9).weights[0] == pytest.approx(1 / 10 + 1 / 11 + 1 / 12)
    assert len(calls) == before


def test_the_bias_correction_of_adam_keeps_the_local_count() -> None:
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1000], [0.5, 0.25])
    mine = replica_of(line(keras.optimizers.Adam(schedule)), jit=False)
    # With a constant gradient each step of Adam is the learning rate, if the correction is right.
    moved = mine.run(np.zeros(1, np.float32), rows(3), clock=2000).weights[0]
    assert moved == pytest.approx(3 * 0.25, rel=1e-4)


def test_a_number_replaces_a_schedule_and_a_schedule_a_number() -> None:
    fixed = line(keras.optimizers.Adam(DECAY, beta_1=0.25), learning_rate=0.125)
    assert float(fixed.optimizer.learning_rate) == 0.125
    assert fixed.optimizer.beta_1 == 0.25
    assert on_center_clock(fixed.optimizer) is None
    falling = line("sgd", learning_rate=DECAY)
    assert falling.optimizer._learning_rate.get_config() == DECAY.get_config()


def test_a_schedule_inside_a_loss_scale_is_found() -> None:
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(DECAY))
    assert isinstance(on_center_clock(line(scaled).optimizer), CenterClock)
    fixed = line(scaled, learning_rate=0.125)
    assert float(fixed.optimizer.learning_rate) == 0.125


def test_the_users_model_and_schedule_stay_as_they_are() -> None:
    optimizer = keras.optimizers.SGD(DECAY)
    model = line(optimizer)
    replica_of(model, jit=False).run(np.zeros(1, np.float32), rows(3), 5)
    assert optimizer._learning_rate is DECAY
    assert type(model.optimizer._learning_rate) is type(DECAY)
    assert float(travelling(model)[0].numpy()[0, 0]) == 0
