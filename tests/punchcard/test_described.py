"""Every trainer survives the way to a server; what cannot be told in JSON is refused before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distkeras.errors import ConfigError
from distkeras.job_deployment import Job
from distkeras.job_deployment.submission import described
from distkeras.punchcard.checks import check_model_file
from distkeras.punchcard.own_trainers import KNOWN
from distkeras.punchcard.weights import check_weights
from distkeras.trainers import ADAG, EnsembleTrainer, Trainer
from distkeras.trainers.described import arguments_of, check_arguments, rebuilt


@pytest.fixture(scope="module")
def model() -> Any:
    import keras

    layers = [keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(2, "softmax")]
    return keras.Sequential(layers)


def there_and_back(trainer: Trainer) -> Trainer:
    told = json.loads(json.dumps(arguments_of(trainer)))
    check_arguments(type(trainer), told)
    return rebuilt(type(trainer), told, trainer.keras_model)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_trainer_comes_back_as_it_was(name: str) -> None:
    more = {} if name in ("SingleTrainer", "EnsembleTrainer", "EASGD") else {"num_workers": 3}
    more |= {"num_ensembles": 4} if name == "EnsembleTrainer" else {}
    trainer = KNOWN[name](
        None,
        "adam",
        "categorical_crossentropy",
        num_epoch=3,
        class_weight={0: 1.0, 1: 2.5},
        **more,
    )
    back = there_and_back(trainer)
    assert type(back) is type(trainer)
    assert arguments_of(back) == arguments_of(trainer)
    assert back.class_weight == {0: 1.0, 1: 2.5}
    assert back.rule.name == trainer.rule.name


def test_objects_of_keras_come_back_as_objects(model: Any) -> None:
    import keras

    rate = keras.optimizers.schedules.CosineDecay(0.1, 100)
    trainer = ADAG(
        model,
        keras.optimizers.Adam(0.25, beta_1=0.5),
        keras.losses.CategoricalCrossentropy(label_smoothing=0.125),
        [keras.metrics.F1Score(), "accuracy", keras.metrics.categorical_accuracy],
        learning_rate=rate,
        batch_size=np.int64(16),
    )
    back = there_and_back(trainer)
    assert isinstance(back.loss, keras.losses.CategoricalCrossentropy)
    assert back.loss.label_smoothing == 0.125
    assert isinstance(back.metrics[0], keras.metrics.F1Score)
    assert back.metrics[1:] == ["accuracy", "categorical_accuracy"]
    assert back.learning_rate.get_config() == rate.get_config()
    optimizer = keras.optimizers.get(back.worker_optimizer)
    assert (float(optimizer.learning_rate), optimizer.beta_1) == (0.25, 0.5)
    assert back.batch_size == 16


def mine(y_true: Any, y_pred: Any) -> Any:
    return y_pred - y_true


def test_code_is_refused_before_it_is_sent(model: Any, tmp_path: Path) -> None:
    import keras

    class Mine(keras.losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return y_pred

    for arguments, said in (
        ({"loss": mine}, "loss is mine, code"),
        ({"loss": lambda a, b: a}, "loss is <lambda>, code"),
        ({"loss": Mine()}, "loss: '.*Mine' is no part of Keras"),
        ({"metrics": [mine]}, "metrics is mine"),
        ({"worker_optimizer": object()}, "worker_optimizer is object"),
        ({"callbacks": [keras.callbacks.TerminateOnNaN()]}, "callbacks: a job carries no code"),
        ({"custom_objects": {"mine": mine}}, "custom_objects: a job carries no code"),
        ({"class_weight": {0: float("nan")}}, "class_weight is nan"),
    ):
        with pytest.raises(ConfigError, match=said):
            arguments_of(ADAG(model, **arguments))


def test_a_model_of_keras_own_parts_is_accepted_and_code_is_not(model: Any, tmp_path: Path) -> None:
    import keras

    values = {"name": "x", "data_path": "/data", "trainer": {"name": "ADAG"}}
    path = tmp_path / "model.keras"
    for layers in (
        [keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization(), keras.layers.Flatten()],
        [keras.layers.Reshape((64,)), keras.layers.Dense(3, kernel_regularizer="l2")],
        [keras.layers.Reshape((8, 8)), keras.layers.Bidirectional(keras.layers.LSTM(4))],
    ):
        inputs = keras.Input((8, 8, 1))
        outputs = inputs
        for layer in layers:
            outputs = layer(outputs)
        made = keras.Model(inputs, keras.layers.Dense(2)(outputs * 2 + 1))
        made.compile(keras.optimizers.AdamW(), keras.losses.MeanSquaredError(), ["mae"])
        made.save(path)
        assert described(values, path).model.bytes == path.stat().st_size
        check_weights(path)

    class Own(keras.layers.Dense):
        pass

    for layer in (keras.layers.Lambda(abs), Own(2)):
        keras.Sequential([keras.Input((3,)), layer]).save(path)
        with pytest.raises(ConfigError, match=r"^model: config\.json: "):
            check_model_file(path, 1 << 30)


def test_weights_that_are_elsewhere_or_claim_too_much_are_refused(tmp_path: Path) -> None:
    import io
    import zipfile

    import h5py

    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as other:
        other["x"] = [1.0]

    def external(file: Any) -> None:
        file["layers"] = h5py.ExternalLink(str(secret), "/x")

    def soft(file: Any) -> None:
        file["layers"] = h5py.SoftLink("/x")

    def outside(file: Any) -> None:
        where = [(str(secret), 0, h5py.h5f.UNLIMITED)]
        file.create_group("a").create_dataset("b", (4,), "f4", external=where)

    def huge(file: Any) -> None:
        file.create_group("a").create_dataset("b", (1 << 40,), "f4", chunks=(1 << 10,))

    def cycle(file: Any) -> None:
        group = file.create_group("a")
        group["b"] = group

    for write, said in (
        (external, "is a link"),
        (soft, "is a link"),
        (outside, "in another file"),
        (huge, "claims 4398046511104 bytes"),
        (cycle, ""),
    ):
        made = io.BytesIO()
        with h5py.File(made, "w") as file:
            write(file)
        path = tmp_path / "model.keras"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model.weights.h5", made.getvalue())
        if said:
            with pytest.raises(ConfigError, match=said):
                check_weights(path)
        else:
            check_weights(path)


def test_a_job_is_checked_where_it_is_made() -> None:
    trainer = ADAG(None, "adam", "mse")
    job = Job("secret", "name", "/data", 2, 1, trainer)
    job.set_num_executors(3)
    job.set_num_processes(4)
    assert (job.num_executors, job.num_processes) == (3, 4)
    with pytest.raises(ConfigError, match="num_executors is 0"):
        job.set_num_executors(0)
    with pytest.raises(ConfigError, match="'name' has not been sent"):
        job.is_finished()
    with pytest.raises(ConfigError, match="url is 'cluster:8000'"):
        job.send("cluster:8000")
    with pytest.raises(ConfigError, match="secret: must be printable ASCII"):
        Job("s\nX: y", "name", "/data", 2, 1, trainer).send("http://127.0.0.1:1")
    with pytest.raises(ConfigError, match="keras_model: is NoneType"):
        Job("secret", "name", "/data", 2, 1, ADAG(None)).send("http://127.0.0.1:1")
    assert issubclass(EnsembleTrainer, Trainer)
