"""The models of the benchmarks and rows for them, trained with this library and without.

Each function that trains returns what it measured, and is meant for a process of its own, except
``train``, whose workers are elsewhere.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any, NamedTuple

import compared
import higgs_like
import numpy as np

#: Rows of the synthetic task that are tested on, beyond those that are trained on.
TEST = 20_000
BATCH, WINDOW = 32, 12
LOSS = "sparse_categorical_crossentropy"
#: Numbers in a row, as the model has them, and classes.
SHAPES: dict[str, tuple[tuple[int, ...], int]] = {
    "mlp": ((30,), 2),
    "convnet": ((28, 28, 1), 10),
    "recurrent": ((50, 8), 2),
    "attention": ((50, 64), 2),
}


class Rows(NamedTuple):
    """Features float32 (n, width), labels int32 (n,), to train and to test."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


@cache
def rows(name: str, count: int) -> Rows:
    """Rows for a model: the synthetic task for the MLP, noise for the others, which only run."""
    shape, classes = SHAPES[name]
    if name == "mlp":
        x, y, _ = higgs_like.make(count + TEST)
    else:
        random = np.random.default_rng(0)
        x = random.normal(size=(count + TEST, int(np.prod(shape)))).astype(np.float32)
        y = random.integers(0, classes, len(x)).astype(np.int32)
    return Rows(x[:count], y[:count], x[count:], y[count:])


def model(name: str) -> Any:
    """A new model, always with the same weights."""
    import keras

    keras.utils.set_random_seed(0)
    shape, classes = SHAPES[name]
    inputs = keras.Input(shape)
    body = globals()[f"_{name}"](inputs, keras.layers)
    return keras.Model(inputs, keras.layers.Dense(classes, "softmax")(body))


def _mlp(x: Any, layers: Any) -> Any:
    return layers.Dense(600, "relu")(layers.Dense(600, "relu")(x))


def _convnet(x: Any, layers: Any) -> Any:
    for _ in range(2):
        x = layers.Conv2D(32, 3, activation="relu")(x)
    return layers.Dense(225, "relu")(layers.Flatten()(layers.MaxPooling2D()(x)))


def _recurrent(x: Any, layers: Any) -> Any:
    return layers.LSTM(64)(x)


def _attention(x: Any, layers: Any) -> Any:
    for _ in range(2):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 16)(x, x))
        x = layers.LayerNormalization()(x + layers.Dense(64)(layers.Dense(128, "relu")(x)))
    return layers.GlobalAveragePooling1D()(x)


def compiled(name: str, rate: float = 0.01) -> Any:
    """The model with Adagrad."""
    import keras

    made = model(name)
    made.compile(keras.optimizers.Adagrad(rate), LOSS, metrics=["accuracy"])
    return made


def accuracy(trained: Any, name: str, count: int) -> float:
    """On the test rows, of which there are some beside so many to train on."""
    there = rows(name, count)
    x = there.x_test.reshape(-1, *SHAPES[name][0])
    return float((trained.predict(x, 4096, verbose=0).argmax(1) == there.y_test).mean())


def train(trainer: str, name: str, count: int, frame: Any, **arguments: Any) -> compared.Run:
    """Trains with one of the trainers on a Spark DataFrame with those rows, or on rows at hand."""
    import keras

    from distkeras.trainers import TRAINERS

    adagrad = keras.optimizers.Adagrad(arguments.pop("rate", 0.01))
    defaults = {"num_workers": 2, "communication_window": WINDOW, "batch_size": BATCH}
    told = TRAINERS[trainer](model(name), adagrad, LOSS, **(defaults | arguments))
    began = time.time()
    trained = told.train(frame)
    waits = [record.exchange_wait for record in told.history.records]
    return {
        "samples_per_second": compared.steady(told.history),
        "seconds": time.time() - began,
        "exchange_ms": 1000 * float(np.median(waits)),
        "accuracy": accuracy(trained, name, count),
    }


def fit(name: str, count: int, epochs: int = 1) -> compared.Run:
    """``model.fit`` with defaults, after a few mini-batches: nothing is left to trace."""
    made, there = compiled(name), rows(name, count)
    x = there.x.reshape(-1, *SHAPES[name][0])
    few = 11 * BATCH + count % BATCH
    made.fit(x[:few], there.y[:few], verbose=0)
    began = time.perf_counter()
    made.fit(x, there.y, epochs=epochs, verbose=0)
    seconds = time.perf_counter() - began
    return {"samples_per_second": count * epochs / seconds, "accuracy": accuracy(made, name, count)}


def _spec(name: str, batch: int) -> Any:
    from distkeras.models import to_blueprint
    from distkeras.replica import ReplicaSpec

    return ReplicaSpec(to_blueprint(compiled(name)).config, batch, WINDOW)


@cache
def _replica(name: str, cores: int, batch: int) -> Any:
    from distkeras.models import use_cores
    from distkeras.replica import Replica

    use_cores(cores)
    return Replica(_spec(name, batch))


def _weights(replica: Any) -> Any:
    from distkeras.replica import travelling

    return replica.layout.flatten([value.numpy() for value in travelling(replica.model)])


def first_window(name: str) -> float:
    """Seconds that the first window of a new replica takes; Keras is imported before."""
    from distkeras.models import use_cores
    from distkeras.replica import Replica

    use_cores(1)
    spec, there = _spec(name, BATCH), rows(name, BATCH * WINDOW)
    began = time.perf_counter()
    replica = Replica(spec)
    replica.run(_weights(replica), {"x0": there.x, "y0": there.y})
    return time.perf_counter() - began


def window(
    name: str, count: int, seconds: float, cores: int = 1, batch: int = BATCH
) -> compared.Run:
    """The compiled window alone, one after the other, on rows that lie ready; no exchange."""
    replica = _replica(name, cores, batch)
    weights = _weights(replica)
    there, size = rows(name, count), batch * WINDOW
    starts = range(0, count - size + 1, size)
    parts = [{"x0": there.x[i : i + size], "y0": there.y[i : i + size]} for i in starts]
    weights = replica.run(weights, parts[0]).weights
    done, began = 0, time.perf_counter()
    while (lasted := time.perf_counter() - began) < seconds:
        weights = replica.run(weights, parts[done % len(parts)]).weights
        done += 1
    return {"samples_per_second": done * size / lasted}
