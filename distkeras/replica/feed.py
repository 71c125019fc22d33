"""Rows, column by column, as the arrays that a model's ``train_step`` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from distkeras.losses import loss_name, target_shape, targets
from distkeras.models import Port, inputs_of, nested, outputs_of, per_output
from distkeras.names import SAMPLE_WEIGHT, feature, label

__all__ = ["Batch", "Feed", "Rows"]

Rows = Mapping[str, npt.NDArray[Any]]


class Batch(NamedTuple):
    """Arrays or tensors for some rows.

    Attributes:
        x: one for each input of the model.
        y: one for each output.
        w: one with a weight for each row, or none.
    """

    x: tuple[Any, ...]
    y: tuple[Any, ...]
    w: tuple[Any, ...]

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.x[0])

    def each(self, function: Callable[[Any], Any]) -> Batch:
        """The function of every array."""
        x, y, w = (tuple(map(function, part)) for part in (self.x, self.y, self.w))
        return Batch(x, y, w)


class _Goal(NamedTuple):
    """What one output is compared with: the loss's name, the shapes of a row of both."""

    loss: str
    output: tuple[int, ...]
    shape: tuple[int, ...]


class Feed:
    """Knows a model's inputs and outputs.

    Args:
        model: compiled.
        inputs: the model's, every axis closed.
        weighted: whether the rows have weights.
        class_weight: the weight of a row by the class that its label says; 1 where it has none.
    """

    def __init__(
        self,
        model: Any,
        inputs: Sequence[Port] | None = None,
        weighted: bool = False,
        class_weight: Mapping[int, float] | None = None,
    ) -> None:
        self._model = model
        self._inputs = tuple(inputs or inputs_of(model))
        outputs = outputs_of(model)
        self._goals = [
            _goal(loss_name(loss), _closed(port))
            for loss, port in zip(per_output(model.loss, outputs, "loss"), outputs, strict=True)
        ]
        self._weighted = weighted
        self._classes = _table(class_weight, outputs[0]) if class_weight else None

    def __call__(self, rows: Rows) -> Batch:
        """The rows in the shapes and types that the model takes.

        Args:
            rows: x0, x1, ..., y0, y1, ... of shape (n,) or (n, width), and w of shape (n,) if
                they have weights.

        Raises:
            DataError: if a label does not fit its output.
        """
        x = tuple(
            np.asarray(values, port.rows).reshape(len(values), *_closed(port))
            for port, values in ((p, rows[feature(i)]) for i, p in enumerate(self._inputs))
        )
        y = tuple(_targets(rows[label(i)], goal, label(i)) for i, goal in enumerate(self._goals))
        return Batch(x, y, self._weights(rows, y[0]))

    def zeros(self, count: int) -> Batch:
        """So many rows of zeros, of the shapes and types of real ones."""
        x = tuple(np.zeros((count, *_closed(port)), port.rows) for port in self._inputs)
        y = tuple(np.zeros((count, *goal.shape), np.float32) for goal in self._goals)
        weights = self._weighted or self._classes is not None
        return Batch(x, y, (np.zeros(count, np.float32),) if weights else ())

    def data(self, batch: Batch) -> tuple[Any, ...]:
        """What ``train_step`` takes: (x, y) or (x, y, sample_weight)."""
        x, y = nested(self._model, "input", batch.x), nested(self._model, "output", batch.y)
        return x, y, *batch.w

    def _weights(self, rows: Rows, goal: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], ...]:
        found = [np.asarray(rows[SAMPLE_WEIGHT], np.float32)] if self._weighted else []
        if self._classes is not None:
            one_hot = goal.ndim == 2 and goal.shape[1] > 1
            classes = goal.argmax(1) if one_hot else np.rint(goal.reshape(len(goal)))
            found.append(self._classes[classes.astype(np.int64)])
        return (np.prod(found, 0, np.float32),) if found else ()


def _goal(loss: str, output: tuple[int, ...]) -> _Goal:
    return _Goal(loss, output, target_shape(output, loss))


def _closed(port: Port) -> tuple[int, ...]:
    """The shape of a row, which has no open axis by now."""
    return tuple(size for size in port.shape if size is not None)


def _targets(values: npt.NDArray[Any], goal: _Goal, name: str) -> npt.NDArray[np.float32]:
    values = np.asarray(values, np.float32)
    if len(goal.output) == 1:
        return targets(values, goal.output[0], goal.loss, name)
    return values.reshape(len(values), *goal.shape)


def _table(class_weight: Mapping[int, float], output: Port) -> npt.NDArray[np.float32]:
    """The weight of each class; one unit stands for two classes."""
    table = np.ones(max(2, output.shape[-1] or 2), np.float32)
    for number, weight in class_weight.items():
        table[number] = weight
    return table
