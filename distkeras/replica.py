"""A worker's copy of the model, and the compiled window. The only user of Keras in training.

A window is one call into TensorFlow: weights in as one flat vector, up to lambda mini-batches
through the model's own ``train_step`` in a compiled loop, weights out as one flat vector.
``train_step`` is the model's, so losses, metrics and custom training logic keep working.

The loop's length is an argument, so shorter windows need no new trace; the partial mini-batch at
the end of an epoch has a trace of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from distkeras.errors import ConfigError
from distkeras.losses import row_loss, targets
from distkeras.vectors import Layout, Vector
from distkeras.worker import Trained

__all__ = ["Replica", "ReplicaSpec", "travelling"]

Rows = Mapping[str, npt.NDArray[Any]]

#: How much a layer that can draw random numbers draws; recurrent layers can, and rarely do.
_RATES = ("rate", "stddev", "dropout", "recurrent_dropout")

#: Layers for which XLA on the CPU is many times slower than TensorFlow's own kernels.
_SLOW_IN_XLA = ("Conv", "DepthwiseConv", "SeparableConv", "ConvLSTM")


@dataclass(frozen=True)
class ReplicaSpec:
    """All that a worker needs to build its replica.

    Attributes:
        config: JSON of the compiled model, as in ``models.Blueprint``.
        batch_size: rows in a mini-batch.
        window: mini-batches in a window, at most.
        jit: whether XLA compiles the window; None chooses by the model's layers.
        input_shape: of a row's features; None takes the model's, which may leave an axis open.
        custom_objects: classes and functions that Keras does not know, by name.
    """

    config: str
    batch_size: int
    window: int
    jit: bool | None = None
    input_shape: tuple[int, ...] | None = None
    custom_objects: Mapping[str, Any] = field(default_factory=dict)


def travelling(model: Any) -> list[Any]:
    """The variables of a model that travel: its floating-point weights, in Keras' order.

    Statistics such as those of BatchNormalization are among them; integer state and the state of
    random generators are not, and stay with each worker.
    """
    return [weight for weight in model.weights if "float" in str(weight.dtype)]


class Replica:
    """A model that trains windows.

    Args:
        spec: what to build.

    Raises:
        ConfigError: if the model has a name that Keras does not know, or may not load.
    """

    def __init__(self, spec: ReplicaSpec) -> None:
        self._spec = spec
        self._model = _build(spec)
        self._weights = travelling(self._model)
        self.layout = Layout(tuple(tuple(weight.shape) for weight in self._weights))
        self._input_shape = spec.input_shape or tuple(self._model.input_shape[1:])
        self._output_shape = tuple(self._model.output_shape[1:])
        self._loss = row_loss(self._model.loss)[1]
        self._ready(spec.batch_size)
        moving = {id(weight) for weight in self._weights}
        self._state = [v for v in _variables(self._model) if id(v) not in moving]
        self._initial = [variable.numpy() for variable in self._state]
        jit = _xla_helps(self._model) if spec.jit is None else spec.jit
        self._full = _compiled(self._window, jit)
        self._partial = _compiled(self._window, jit=False)

    def reset(self, seed: int) -> None:
        """Makes the replica as new: optimizer state, metrics, random generators.

        Args:
            seed: of everything random in the model and in this process.
        """
        import keras

        keras.utils.set_random_seed(seed)
        random = np.random.default_rng(seed)
        for variable, value in zip(self._state, self._initial, strict=True):
            if "seed_generator" in variable.path:
                value = random.integers(0, 2**31, value.shape).astype(value.dtype)
            variable.assign(value)

    def run(self, weights: Vector, rows: Rows) -> Trained:
        """Trains on the rows in order, in mini-batches.

        Args:
            weights: W0, shape (P,), float32.
            rows: ``x`` of shape (n, d) and ``y`` of shape (n,) or (n, k); n is at most
                batch_size * window.

        Returns:
            W, and the metrics over these rows, in the order of ``metric_names``.
        """
        x, y = self._inputs(rows["x"]), self._targets(rows["y"])
        size = self._spec.batch_size
        steps = len(x) // size
        results: list[Any] = []
        if steps:
            full = self._batches(x, steps), self._batches(y, steps)
            weights, results = self._full(weights, *full, np.int32(steps), np.int32(0))
        if len(x) > steps * size:
            rest = x[None, steps * size :], y[None, steps * size :]
            weights, results = self._partial(weights, *rest, np.int32(1), np.int32(steps))
        return Trained(np.asarray(weights), np.array([float(v) for v in results], np.float32))

    @property
    def metric_names(self) -> list[str]:
        """The names of what ``run`` reports, the loss first."""
        return list(self._model.get_metrics_result())

    def _inputs(self, x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        return np.asarray(x, np.float32).reshape(len(x), *self._input_shape)

    def _targets(self, y: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        if len(self._output_shape) == 1:
            return targets(np.asarray(y, np.float32), self._output_shape[0], self._loss, "label")
        return np.asarray(y, np.float32).reshape(len(y), *self._output_shape)

    def _batches(self, values: npt.NDArray[Any], steps: int) -> npt.NDArray[Any]:
        """Shape (window, batch_size, ...); the batches beyond ``steps`` are never read."""
        size, window = self._spec.batch_size, self._spec.window
        shape = (window, size, *values.shape[1:])
        if steps == window:
            return values.reshape(shape)
        padded = np.zeros(shape, values.dtype)
        padded[:steps] = values[: steps * size].reshape(steps, *shape[1:])
        return padded

    def _ready(self, batch_size: int) -> None:
        """Has Keras make every variable now: a compiled function may not make any."""
        self._model.optimizer.build(self._model.trainable_variables)
        x = np.zeros((batch_size, *self._input_shape), np.float32)
        label = () if len(self._output_shape) == 1 else (prod(self._output_shape),)
        y = self._targets(np.zeros((batch_size, *label), np.float32))
        self._model._symbolic_build(data_batch=(x, y))

    def _window(self, flat: Any, x: Any, y: Any, steps: Any, before: Any) -> Any:
        """The traced part; ``before`` counts the mini-batches already in the metrics."""
        import tensorflow as tf

        parts = tf.split(flat, self.layout.sizes)
        for weight, part in zip(self._weights, parts, strict=True):
            weight.assign(tf.cast(tf.reshape(part, weight.shape), weight.dtype))
        for metric in self._model.metrics:
            for variable in metric.variables:
                variable.assign(tf.where(before > 0, variable.value, tf.zeros_like(variable.value)))

        def step(index: Any) -> tuple[Any]:
            self._model.train_step((x[index], y[index]))
            return (index + 1,)

        tf.while_loop(lambda index: index < steps, step, [tf.constant(0)], parallel_iterations=1)
        result = [tf.reshape(tf.cast(weight.value, tf.float32), [-1]) for weight in self._weights]
        return tf.concat(result, 0), list(self._model.get_metrics_result().values())


def _build(spec: ReplicaSpec) -> Any:
    import keras

    try:
        return keras.saving.deserialize_keras_object(
            json.loads(spec.config), custom_objects=dict(spec.custom_objects), safe_mode=True
        )
    except (TypeError, ValueError) as problem:
        raise ConfigError(f"the model cannot be built on a worker: {problem}") from None


def _variables(model: Any) -> list[Any]:
    """Every variable that training changes, each once."""
    found = [*model.variables, *model.optimizer.variables]
    found += [variable for metric in model.metrics for variable in metric.variables]
    return list({id(variable): variable for variable in found}.values())


def _xla_helps(model: Any) -> bool:
    """Whether XLA makes the window faster: on the CPU, unless it has to convolve or draw numbers.

    Convolutions and Dropout are many times slower in XLA on the CPU than in TensorFlow's own
    kernels; most else is faster. The choice goes by the layers and not by the clock, so that the
    same seed gives the same model.
    """
    layers = list(model._flatten_layers())
    convolves = any(type(layer).__name__.startswith(_SLOW_IN_XLA) for layer in layers)
    return not convolves and not any(map(_draws, layers))


def _draws(layer: Any) -> bool:
    """Whether a layer draws random numbers in training."""
    if getattr(layer, "seed_generator", None) is None:
        return False
    rates = [getattr(layer, name, None) for name in _RATES]
    known = [rate for rate in rates if isinstance(rate, int | float)]
    return any(known) if known else True


def _compiled(window: Callable[..., Any], jit: bool) -> Callable[..., Any]:
    import tensorflow as tf

    plain: Callable[..., Any] = tf.function(window, autograph=False, jit_compile=False)
    if not jit:
        return plain
    chosen: list[Callable[..., Any]] = [tf.function(window, autograph=False, jit_compile=True)]

    def call(*arguments: Any) -> Any:
        try:
            return chosen[0](*arguments)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            if chosen[0] is plain:
                raise
            chosen[0] = plain  # This model has an operation that XLA does not know.
            return plain(*arguments)

    return call
