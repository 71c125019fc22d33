"""What a Python worker does to predict its rows: Arrow batches in, Arrow batches out.

Spark is not needed: ``score`` takes any iterable of record batches, a list too. TensorFlow is
imported when the first batch with rows arrives, so a partition without rows costs nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from distkeras.columns import check_finite, to_numpy
from distkeras.errors import DataError
from distkeras.losses import row_loss, targets
from distkeras.models import (
    Blueprint,
    Port,
    build,
    inputs_of,
    nested,
    outputs_of,
    use_cores,
)

__all__ = ["Scoring", "digest", "input_width", "score"]


@dataclass(frozen=True)
class _Graph:
    """A model that is built and ready to compute.

    Attributes:
        forward: features, an array for each input -> outputs of shape (rows, width), tensors.
        forward_loss: (features, targets) -> (output, loss of each row), tensors; None for a model
            without a loss and for one of several outputs.
        inputs: the model's.
        widths: numbers in a row of each output.
        loss: the loss's name, as Keras has it.
    """

    forward: Callable[[list[np.ndarray]], list[Any]]
    forward_loss: Callable[[list[np.ndarray], np.ndarray], tuple[Any, Any]] | None
    inputs: tuple[Port, ...]
    widths: tuple[int, ...]
    loss: str


# Spark re-uses its Python workers, so a model outlives the task that built it. Two are kept: a
# worker that scores with a new and an old model in turn builds each of them once.
_GRAPHS: dict[str, _Graph] = {}
_KEPT_GRAPHS = 2


@dataclass(frozen=True)
class Scoring:
    """One prediction job, as it travels to the workers.

    Attributes:
        blueprint: the model.
        digest: of the blueprint; workers keep what they built under this name.
        features_cols: the columns to read, one for each input of the model.
        output_cols: the columns to append, one for each output, lists of float32.
        batch_size: rows in one call of the model.
        label_col: the column with the targets; read only for the loss.
        loss_col: the column to append with the loss of each row, float64; None for no loss.
        kept_cols: the columns that come back; None for all that are sent.
        hidden_cols: columns to read in place of some of ``features_cols``, by the names of these.
        cores: threads that TensorFlow may use in one task.
        names: what the columns that Spark sends are really called, in their order.
        custom_objects: classes and functions that Keras does not know, by name.
    """

    blueprint: Blueprint
    digest: str
    features_cols: tuple[str, ...]
    output_cols: tuple[str, ...]
    batch_size: int
    label_col: str = "label"
    loss_col: str | None = None
    kept_cols: tuple[str, ...] | None = None
    hidden_cols: Mapping[str, str] = field(default_factory=dict)
    cores: int = 1
    names: tuple[str, ...] = ()
    custom_objects: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """What ``DataFrame.mapInArrow`` calls, once per partition."""
        from pyspark import TaskContext

        context = TaskContext.get()
        try:
            yield from score((batch.rename_columns(self.names) for batch in batches), self)
        except DataError as error:
            if context is None:
                raise
            raise DataError(f"partition {context.partitionId()}, {error}") from error


def score(batches: Iterable[pa.RecordBatch], job: Scoring) -> Iterator[pa.RecordBatch]:
    """Appends the model's output to every batch.

    Args:
        batches: record batches with the columns that ``job`` names.
        job: what to compute.

    Yields:
        For each batch its columns, the output, and the loss if asked for; same rows, same order.

    Raises:
        DataError: a feature or label is null, ragged, not finite or does not fit the model; rows
            are counted from 0 in the order of ``batches``.
    """
    first_row = 0
    for batch in batches:
        yield _append(batch, job, first_row)
        first_row += batch.num_rows


def digest(blueprint: Blueprint) -> str:
    """The sha256 of a model's configuration and weights, in hexadecimal."""
    result = hashlib.sha256(blueprint.config.encode())
    for weights in blueprint.weights:
        result.update(np.ascontiguousarray(weights).data)
    return result.hexdigest()


def input_width(port: Port) -> int | None:
    """Numbers in one row of a model's input; None where the shape leaves it open."""
    known = [size for size in port.shape if size is not None]
    return math.prod(known) if len(known) == len(port.shape) else None


def _append(batch: pa.RecordBatch, job: Scoring, first_row: int) -> pa.RecordBatch:
    kept = batch.schema.names if job.kept_cols is None else job.kept_cols
    columns = {name: batch.column(name) for name in kept}
    outputs, losses = [np.empty((0, 1), np.float32)] * len(job.output_cols), np.empty(0)
    if batch.num_rows:
        outputs, losses = _predict(batch, job, first_row)
    columns |= dict(zip(job.output_cols, map(_lists, outputs), strict=True))
    if job.loss_col is not None:
        columns[job.loss_col] = pa.array(losses, pa.float64())
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _lists(output: np.ndarray) -> pa.Array:
    """Shape (rows, width) as lists that share the array's memory."""
    rows, width = output.shape
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * np.int32(width))
    return pa.ListArray.from_arrays(offsets, pa.array(output.reshape(-1)))


def _predict(
    batch: pa.RecordBatch, job: Scoring, first_row: int
) -> tuple[list[np.ndarray], np.ndarray]:
    graph = _graph(job)
    features = [
        _features(batch, job, name, port, first_row)
        for name, port in zip(job.features_cols, graph.inputs, strict=True)
    ]
    outputs = [np.empty((batch.num_rows, width), np.float32) for width in graph.widths]
    losses = np.empty(batch.num_rows)
    goal = _goal(batch, job, graph, first_row)
    for at in range(0, batch.num_rows, job.batch_size):
        rows = slice(at, at + job.batch_size)
        part = [values[rows] for values in features]
        if goal is None or graph.forward_loss is None:
            found = graph.forward(part)
        else:
            output, loss = graph.forward_loss(part, goal[rows])
            found, losses[rows] = [output], loss.numpy()
        for array, tensor in zip(outputs, found, strict=True):
            array[rows] = tensor.numpy()
    return outputs, losses


def _goal(batch: pa.RecordBatch, job: Scoring, graph: _Graph, first_row: int) -> np.ndarray | None:
    if job.loss_col is None:
        return None
    labels = to_numpy(batch.column(job.label_col), job.label_col, first_row=first_row)
    check_finite(labels, job.label_col, first_row=first_row)
    return targets(labels, graph.widths[0], graph.loss, job.label_col, first_row)


def _features(
    batch: pa.RecordBatch, job: Scoring, name: str, port: Port, first_row: int
) -> np.ndarray:
    """Rows of numbers in the shape that the model takes, e.g. 784 as (28, 28, 1)."""
    column = batch.column(job.hidden_cols.get(name, name))
    features = to_numpy(column, name, port.rows, first_row=first_row)
    check_finite(features, name, first_row=first_row)
    expected = input_width(port)
    found = features.shape[1] if features.ndim == 2 else 1
    if expected is not None and found != expected:
        raise DataError(f"column {name!r} has {found} numbers a row, the model takes {expected}")
    return features.reshape(len(features), *(-1 if size is None else size for size in port.shape))


def _graph(job: Scoring) -> _Graph:
    if job.digest not in _GRAPHS:
        # As many threads as the task has cores: the tasks beside it use the others.
        use_cores(job.cores)
        while len(_GRAPHS) >= _KEPT_GRAPHS:
            del _GRAPHS[next(iter(_GRAPHS))]
        _GRAPHS[job.digest] = _compile(build(job.blueprint, job.custom_objects))
    return _GRAPHS[job.digest]


def _compile(model: Any) -> _Graph:
    """A model as graphs that take any number of rows.

    Not through XLA: that compiles once per number of rows, gains little on large batches of
    matrix products, and makes convolutions on the CPU many times slower.
    """
    import tensorflow as tf

    inputs, outputs = inputs_of(model), outputs_of(model)
    widths = tuple(1 if not port.shape else int(port.shape[-1] or 0) for port in outputs)
    losses, name = (None, "") if len(outputs) > 1 else row_loss(getattr(model, "loss", None))
    features = [tf.TensorSpec((None, *port.shape), port.rows) for port in inputs]
    one = (None,) if name.startswith("sparse") else (None, widths[0])

    def graph(function: Callable[..., Any], *signature: Any) -> Any:
        return tf.function(function, input_signature=signature, autograph=False)

    return _Graph(
        forward=graph(_forward(model, widths), features),
        forward_loss=losses
        and graph(_forward_loss(model, losses), features, tf.TensorSpec(one, tf.float32)),
        inputs=inputs,
        widths=widths,
        loss=name,
    )


def _forward(model: Any, widths: tuple[int, ...]) -> Callable[[list[Any]], Any]:
    import keras
    import tensorflow as tf

    def forward(rows: list[Any]) -> list[Any]:
        outputs = keras.tree.flatten(model.predict_step((nested(model, "input", rows),)))
        return [
            tf.reshape(tf.cast(output, tf.float32), (-1, width))
            for output, width in zip(outputs, widths, strict=True)
        ]

    return forward


def _forward_loss(
    model: Any, losses: Callable[[Any, Any], Any]
) -> Callable[[list[Any], Any], tuple[Any, Any]]:
    import keras
    import tensorflow as tf

    def forward_loss(rows: list[Any], goal: Any) -> tuple[Any, Any]:
        # The loss needs the very tensor that the model gave: see ``row_loss``.
        (output,) = keras.tree.flatten(model.predict_step((nested(model, "input", rows),)))
        total = losses(goal, output)
        for penalty in model.losses:
            total += tf.cast(penalty, tf.float32)
        return tf.reshape(tf.cast(output, tf.float32), (tf.shape(goal)[0], -1)), total

    return forward_loss
