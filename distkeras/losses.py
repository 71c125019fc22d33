"""Losses of single rows, and labels in the shape that a loss compares with a model's output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from distkeras.errors import ConfigError, DataError

__all__ = ["check_travels", "loss_name", "row_loss", "target_shape", "targets"]


def targets(labels: np.ndarray, width: int, loss: str, name: str, first_row: int = 0) -> np.ndarray:
    """Labels in the shape that a loss compares with the model's output.

    Args:
        labels: shape (rows,) or (rows, width).
        width: numbers in a row of the model's output.
        loss: name of the loss; a ``sparse_...`` one takes class numbers as they are.
        name: the label column's name, for messages.
        first_row: number of the first row, for messages.

    Returns:
        Shape (rows, width); (rows,) for a sparse loss. Class numbers become one-hot rows.

    Raises:
        DataError: a class number outside 0 to ``width`` - 1, or lists of another width.
    """
    if loss.startswith("sparse") and width > 1 and labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]  # Arrays of one class number each.
    if labels.ndim == 2 or width == 1:
        found = labels.shape[1] if labels.ndim == 2 else 1
        if found != width:
            raise DataError(f"column {name!r} has {found} numbers a row, the model gives {width}")
        return labels.reshape(-1, width)
    bad = (labels != np.floor(labels)) | (labels < 0) | (labels >= width)
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"column {name!r}: row {first_row + row} holds {labels[row]:g}, which is no class "
            f"of a model with {width} outputs (0 to {width - 1})"
        )
    if loss.startswith("sparse"):
        return labels
    return np.asarray(labels[:, None] == np.arange(width), np.float32)


def target_shape(output: tuple[int, ...], loss: str) -> tuple[int, ...]:
    """The shape of one row of what a loss compares with the model's output.

    Args:
        output: the shape of one row of the output.
        loss: the loss's name; a ``sparse_...`` one takes a class number in place of the last axis.
    """
    classes = loss.startswith("sparse") and bool(output) and output[-1] > 1
    return output[:-1] if classes else output


def loss_name(loss: Any) -> str:
    """A Keras loss's name.

    Args:
        loss: a name, a function, a ``keras.losses.Loss``, or None, which has the name "".
    """
    import keras

    if loss is None:
        return ""
    found = keras.losses.get(loss)
    return str(getattr(found, "name", getattr(found, "__name__", "")))


def row_loss(loss: Any) -> tuple[Callable[[Any, Any], Any] | None, str]:
    """A Keras loss before it is averaged over the batch.

    Inside a ``tf.function`` the output must be the tensor that the model gave, not a copy: Keras
    takes the logits of a softmax or sigmoid from it, as ``model.evaluate`` does.

    Args:
        loss: what the model was compiled with: a name, a function, a ``keras.losses.Loss``, a
            list of one of these, or None.

    Returns:
        (targets, output) -> float32 tensor of shape (rows,), and the loss's name; (None, "") for
        no loss.

    Raises:
        ConfigError: several losses, or one that sums over the batch.
    """
    import keras

    if isinstance(loss, list | tuple) and len(loss) == 1:
        loss = loss[0]
    if loss is None:
        return None, ""
    if isinstance(loss, list | tuple | dict):
        raise ConfigError(f"loss: the model has {len(loss)} losses, one per row needs exactly 1")
    if getattr(loss, "reduction", None) == "sum":
        raise ConfigError("loss: reduction 'sum' has no loss per row, use the default")
    found = keras.losses.get(loss)
    compute = found.call if isinstance(found, keras.losses.Loss) else found

    def rows(goal: Any, output: Any) -> Any:
        values = keras.ops.cast(compute(goal, output), "float32")
        if len(values.shape) == 0:  # it averages by itself: the loss of the whole batch
            return values + keras.ops.zeros_like(goal[..., 0] if len(goal.shape) > 1 else goal)
        return keras.ops.mean(values, axis=tuple(range(1, len(values.shape))))

    return rows, loss_name(found)


def check_travels(loss: Any) -> None:
    """Refuses a Keras loss that is another one after Keras saved and loaded it.

    Keras leaves some arguments out of a loss's configuration (``Huber(delta)`` in 3.15): a
    worker would silently compute with the default.

    Args:
        loss: what a model was compiled with.

    Raises:
        ConfigError: names the loss and the argument that is lost.
    """
    import keras

    if not isinstance(loss, keras.losses.Loss):
        return
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    before, after = getattr(loss, "_fn_kwargs", {}), getattr(again, "_fn_kwargs", {})
    for name, value in before.items():
        if after.get(name, value) != value:
            raise ConfigError(
                f"loss: Keras does not save {name}={value!r} of {type(loss).__name__}, a worker "
                f"would compute with {after[name]!r}; write the loss as a registered function"
            )
