"""A worker's copy of the model, and the compiled window. The only user of Keras in training.

A window is one call into TensorFlow: weights in as one flat vector, up to lambda mini-batches
through the model's own ``train_step`` in a compiled loop, weights out as one flat vector.
``train_step`` is the model's, so losses, metrics and custom training logic keep working.

The loop's length is an argument, so shorter windows need no new trace; the partial mini-batch at
the end of an epoch has a trace of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from distkeras.errors import ConfigError
from distkeras.models import Port
from distkeras.replica.center_clock import on_center_clock
from distkeras.replica.feed import Batch, Feed, Rows
from distkeras.replica.xla import compiled, xla_helps
from distkeras.vectors import Layout, Vector
from distkeras.worker import Trained

__all__ = ["Replica", "ReplicaSpec", "travelling"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ReplicaSpec:
    """All that a worker needs to build its replica.

    Attributes:
        config: JSON of the compiled model, as in ``models.Blueprint``.
        batch_size: rows in a mini-batch.
        window: mini-batches in one call of ``run``, at most.
        jit: whether XLA compiles the window; None chooses by the model's layers.
        inputs: the model's, with every axis closed; None takes them as they are in the model.
        weighted: whether the rows have weights.
        class_weight: the weight of a row by the class that its label says.
        custom_objects: classes and functions that Keras does not know, by name.
    """

    config: str
    batch_size: int
    window: int
    jit: bool | None = None
    inputs: tuple[Port, ...] | None = None
    weighted: bool = False
    class_weight: Mapping[int, float] | None = None
    custom_objects: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dtypes(self) -> tuple[np.dtype[Any], ...]:
        """The types in which rows for the inputs are kept; none where ``inputs`` is None."""
        return tuple(port.rows for port in self.inputs or ())


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
        self._feed = Feed(self._model, spec.inputs, spec.weighted, spec.class_weight)
        # As in Keras, the weights of classes count in training only.
        self._unbiased = Feed(self._model, spec.inputs, spec.weighted)
        self._weights = travelling(self._model)
        self.layout = Layout(tuple(tuple(weight.shape) for weight in self._weights))
        self._ready()
        moving = {id(weight) for weight in self._weights}
        self._state = [v for v in _variables(self._model) if id(v) not in moving]
        self._initial = self.snapshot()
        self._clock = on_center_clock(self._model.optimizer)
        jit = xla_helps(self._model) if spec.jit is None else spec.jit
        self._full = compiled(self._window, jit)
        self._partial = compiled(self._window, jit=False)
        self._test = compiled(self._model.test_step, jit=False)

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

    def snapshot(self) -> tuple[Array, ...]:
        """A copy of all that stays with a worker: state of optimizer, metrics, random generators.

        With it, several virtual workers can share one replica.
        """
        return tuple(np.array(variable.numpy()) for variable in self._state)

    def restore(self, snapshot: Sequence[Array]) -> None:
        """Goes back to a snapshot.

        Args:
            snapshot: from ``snapshot`` of a replica with the same spec.
        """
        for variable, value in zip(self._state, snapshot, strict=True):
            variable.assign(value)

    def run(self, weights: Vector, rows: Rows, clock: int = 0) -> Trained:
        """Trains on the rows in order, in mini-batches.

        Args:
            weights: W0, shape (P,), float32.
            rows: ``x0``, ``x1``, ... of shape (n,) or (n, d), one for each input; ``y0``, ``y1``,
                ... of shape (n,) or (n, k), one for each output; ``w`` of shape (n,) where the
                rows have weights. n is at most batch_size * window.
            clock: mini-batches merged into the center before the first of these rows. In the
                k-th mini-batch, from 0, a learning-rate schedule is read at clock + k.

        Returns:
            W, and the metrics over these rows, in the order of ``metric_names``.
        """
        batch = self._feed(rows)
        size = self._spec.batch_size
        steps = batch.rows // size
        results: list[Any] = []
        if steps:
            full = batch.each(lambda values: self._padded(values, steps))
            counts = np.int32(steps), np.int32(0), np.int64(clock)
            weights, results = self._full(weights, full, *counts)
        if batch.rows > steps * size:
            rest = batch.each(lambda values: values[None, steps * size :])
            counts = np.int32(1), np.int32(steps), np.int64(clock + steps)
            weights, results = self._partial(weights, rest, *counts)
        return Trained(np.asarray(weights), np.array([float(v) for v in results], np.float32))

    def measure(self, weights: Vector, rows: Iterable[Rows]) -> dict[str, float]:
        """Loss and metrics of a model with these weights, as ``model.evaluate`` gives them.

        Args:
            weights: shape (P,), float32.
            rows: as for ``run``, some at a time.
        """
        for variable, array in zip(self._weights, self.layout.unflatten(weights), strict=True):
            variable.assign(array)
        self._model.reset_metrics()
        for part in rows:
            # Not test_on_batch, which begins to count anew with each call.
            self._test(self._unbiased.data(self._unbiased(part)))
        return {name: float(v) for name, v in self._model.get_metrics_result().items()}

    @property
    def model(self) -> Any:
        """The Keras model; its weights are those that the last window left."""
        return self._model

    @property
    def metric_names(self) -> list[str]:
        """The names of what ``run`` reports, the loss first."""
        return list(self._model.get_metrics_result())

    def _padded(self, values: Array, steps: int) -> Array:
        """Shape (window, batch_size, ...); the batches beyond ``steps`` are never read."""
        size, window = self._spec.batch_size, self._spec.window
        shape = (window, size, *values.shape[1:])
        if steps == window:
            return values[: window * size].reshape(shape)
        padded = np.zeros(shape, values.dtype)
        padded[:steps] = values[: steps * size].reshape(steps, *shape[1:])
        return padded

    def _ready(self) -> None:
        """Has Keras make every variable now: a compiled function may not make any."""
        self._model.optimizer.build(self._model.trainable_variables)
        zeros = self._feed.zeros(self._spec.batch_size)
        self._model._symbolic_build(data_batch=self._feed.data(zeros))

    def _window(self, flat: Any, batch: Batch, steps: Any, before: Any, clock: Any) -> Any:
        """The traced part; ``before`` counts the mini-batches already in the metrics."""
        import tensorflow as tf

        parts = tf.split(flat, self.layout.sizes)
        for weight, part in zip(self._weights, parts, strict=True):
            weight.assign(tf.cast(tf.reshape(part, weight.shape), weight.dtype))
        for metric in self._model.metrics:
            for variable in metric.variables:
                variable.assign(tf.where(before > 0, variable.value, tf.zeros_like(variable.value)))

        def step(index: Any) -> tuple[Any]:
            if self._clock is not None:
                self._clock.set(clock + tf.cast(index, clock.dtype))
            self._model.train_step(self._feed.data(batch.each(lambda values: values[index])))
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
