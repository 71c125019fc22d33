from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from distkeras.compilation import CompileArguments, compiled_copy, config_of
from distkeras.errors import ConfigError
from distkeras.replica import Replica, ReplicaSpec


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


def pair() -> Any:
    joint = keras.Input((4,))
    outputs = [keras.layers.Dense(units, name=name)(joint) for units, name in ((2, "a"), (1, "b"))]
    return keras.Model(joint, outputs, name="pair")


def reported(model: Any) -> list[str]:
    """The names of the metrics, which Keras makes with the first mini-batch."""
    goals = [np.zeros((2, 2)), np.zeros((2, 1))]
    model.train_on_batch(np.zeros((2, 4)), goals[: len(model.outputs)])
    return list(model.get_metrics_result())


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # For the output without a loss.
@pytest.mark.parametrize(
    ("loss", "metrics", "names"),
    [
        ("mse", None, ["a_loss", "b_loss"]),
        (["mse", "mae"], ["mae"], ["a_mae", "b_mae", "a_loss", "b_loss"]),
        ({"b": "mse", "a": "mae"}, ["mae", "mse"], ["a_mae", "b_mse", "a_loss", "b_loss"]),
        (["mse", None], {"b": ["mae", "mse"]}, ["b_mae", "b_mse"]),
        (
            [keras.losses.Huber(), "mse"],
            [None, [keras.metrics.MeanAbsoluteError(name="off"), "mse"]],
            ["b_off", "b_mse", "a_loss", "b_loss"],
        ),
    ],
)
def test_losses_and_metrics_of_several_outputs(loss: Any, metrics: Any, names: list[str]) -> None:
    copy = compiled_copy(pair(), CompileArguments("sgd", loss, metrics))
    assert reported(copy) == ["loss", *names]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": ["mse"]}, r"loss has 1 entries, but the model has 2 outputs: a, b"),
        ({"loss": {"a": "mse"}}, "loss has nothing for the model's output 'b'"),
        (
            {"loss": {"a": "mse", "bb": "mse"}},
            "loss: the model has no output 'bb'; did you mean 'b'",
        ),
        ({"loss": [None, None]}, "loss: no output of the model has one"),
        ({"loss": ["mse", "msee"]}, "loss 'msee'"),
        ({"metrics": ["mae"] * 3}, "metrics has 3 entries, but the model has 2 outputs"),
        ({"metrics": {"c": ["mae"]}}, "metrics: the model has no output 'c'; there are a, b"),
        ({"metrics": [["mae"], ["maee"]]}, "Keras knows no metric 'maee'"),
        ({"metrics": "mae"}, "metrics is 'mae', but must be a list"),
        ({"loss_weights": [1.0]}, "loss_weights has 1 entries"),
        ({"loss_weights": {"a": 1.0}}, "loss_weights has nothing for the model's output 'b'"),
        ({"loss_weights": [1.0, float("inf")]}, "inf is no finite number"),
    ],
)
def test_what_does_not_fit_the_outputs(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        compiled_copy(pair(), CompileArguments("sgd", **{"loss": "mse", **arguments}))
    assert "\n" not in str(caught.value)


def test_the_users_instances_are_copied() -> None:
    metric, optimizer = keras.metrics.MeanAbsoluteError(name="off"), keras.optimizers.SGD(0.5)
    copy = compiled_copy(model_of(), CompileArguments(optimizer, "mse", [metric]))
    copy.train_on_batch(np.ones((2, 4)), np.ones((2, 2)) * 9)
    assert copy.get_metrics_result()["off"] > 0
    assert float(metric.result()) == 0
    assert not optimizer.built


class Slow(keras.optimizers.SGD):  # type: ignore[misc]
    pass


class Count(keras.metrics.Sum):  # type: ignore[misc]
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(keras.ops.ones_like(y_true))


def off_by(y_true: Any, y_pred: Any) -> Any:
    return keras.ops.mean(keras.ops.abs(y_true - y_pred), -1)


@pytest.mark.parametrize(
    ("optimizer", "loss", "metrics"),
    [("Slow", "off_by", ["off_by", "Count"]), (Slow(), off_by, [off_by, Count(name="Count")])],
)
def test_custom_objects_by_name_and_as_they_are(optimizer: Any, loss: Any, metrics: Any) -> None:
    known = {"Slow": Slow, "off_by": off_by, "Count": Count}
    copy = compiled_copy(model_of(), CompileArguments(optimizer, loss, metrics, None, None, known))
    config = config_of(copy)
    mine = Replica(ReplicaSpec(config, batch_size=2, window=1, custom_objects=known))
    rows = {"x0": np.zeros((2, 4)), "y0": np.full((2, 2), 3.0)}
    zeros = np.zeros(mine.layout.size, np.float32)
    np.testing.assert_allclose(mine.run(zeros, rows).metrics, [3.0, 3.0, 4.0])
    assert type(mine._model.optimizer) is Slow


def test_a_compiled_model_of_several_outputs_brings_all_its_arguments() -> None:
    model = pair()
    model.compile(
        "sgd",
        {"a": "mae", "b": "mse"},
        loss_weights={"a": 0.5, "b": 0.25},
        metrics={"b": [keras.metrics.MeanAbsoluteError(name="off")]},
        weighted_metrics=[["mse"], []],
    )
    copy = compiled_copy(model, CompileArguments())
    assert reported(copy) == reported(model)
    assert copy.get_compile_config()["loss_weights"] == [0.5, 0.25]
