from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from distkeras.compilation import CompileArguments, compiled_copy
from distkeras.errors import ConfigError


def model_of(units: int = 2, width: int = 4) -> Any:
    return keras.Sequential([keras.Input((width,)), keras.layers.Dense(units)])


def test_the_copy_is_compiled_and_the_model_is_left_alone() -> None:
    model = model_of()
    copy = compiled_copy(model, CompileArguments("adam", "mse", ["mae"], learning_rate=0.5))
    assert copy is not model
    assert not model.compiled
    assert float(copy.optimizer.learning_rate.numpy()) == 0.5
    for mine, theirs in zip(copy.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_an_optimizer_instance_can_serve_two_models() -> None:
    optimizer = keras.optimizers.Adam(0.25, beta_1=0.5)
    arguments = CompileArguments(optimizer, "mse", [])
    first, second = (compiled_copy(model_of(), arguments) for _ in range(2))
    assert first.optimizer is not second.optimizer
    assert second.optimizer.beta_1 == 0.5


def test_a_learning_rate_schedule_survives() -> None:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 100, 0.5)
    copy = compiled_copy(model_of(), CompileArguments(keras.optimizers.SGD(schedule), "mse", []))
    assert copy.optimizer._learning_rate.get_config() == schedule.get_config()


def test_a_compiled_model_brings_its_own_arguments() -> None:
    model = model_of()
    model.compile("adagrad", "mae", metrics=["mse"])
    copy = compiled_copy(model, CompileArguments())
    assert type(copy.optimizer).__name__ == "Adagrad"
    copy.train_on_batch(np.zeros((2, 4)), np.zeros((2, 2)))
    assert list(copy.get_metrics_result()) == ["loss", "mse"]


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("a string", CompileArguments("adam", "mse"), "keras_model: is str"),
        (model_of(), CompileArguments(None, "mse"), "worker_optimizer is not given"),
        (model_of(), CompileArguments("adam", None), "loss is not given"),
        (model_of(), CompileArguments("adamm", "mse"), "worker_optimizer 'adamm'"),
        (model_of(), CompileArguments("adam", "msee"), "loss 'msee'"),
        (
            keras.Sequential([keras.Input((4,)), keras.layers.Flatten()]),
            CompileArguments("adam", "mse"),
            "no weights",
        ),
        (
            keras.Sequential([keras.layers.Dense(2)]),
            CompileArguments("adam", "mse"),
            "no input shape",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    model: Any, arguments: CompileArguments, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        compiled_copy(model, arguments)
    assert "\n" not in str(caught.value)
