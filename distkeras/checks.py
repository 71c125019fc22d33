"""Model, columns and rows held against each other, before any job trains."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, prod
from numbers import Integral, Real
from typing import Any

from distkeras.engines.summary import ColumnSummary, Summary
from distkeras.errors import ConfigError, DataError
from distkeras.losses import loss_name, target_shape
from distkeras.models import Port, inputs_of, outputs_of, per_output
from distkeras.names import Columns

__all__ = ["check_class_weight", "check_columns", "check_rows", "closed_inputs"]


def check_columns(model: Any, columns: Columns) -> None:
    """Compares the numbers of columns, inputs and outputs.

    Args:
        model: built.
        columns: the user's names.

    Raises:
        ConfigError: if they differ, or the model takes what a column cannot hold.
    """
    inputs, outputs = inputs_of(model), outputs_of(model)
    sides = (("features_col", columns.features, "inputs", inputs),)
    for argument, names, side, ports in (*sides, ("label_col", columns.labels, "outputs", outputs)):
        if len(names) != len(ports):
            raise ConfigError(
                f"{argument} names {len(names)} columns ({', '.join(names)}), but {model.name!r} "
                f"has {len(ports)} {side} ({', '.join(port.name for port in ports)})"
            )
    for port in inputs:
        if port.dtype == "string":
            raise ConfigError(f"keras_model: input {port.name!r} takes text, a column is numbers")


def check_class_weight(model: Any, class_weight: Any) -> dict[int, float] | None:
    """The weights of classes, refused where they cannot work.

    Args:
        model: built.
        class_weight: class number -> weight, or None; a class that is left out counts 1.

    Raises:
        ConfigError: for several outputs, for a key that is no class and a value that is no weight.
    """
    if class_weight is None:
        return None
    if not isinstance(class_weight, Mapping) or not class_weight:
        raise ConfigError(
            f"class_weight is {class_weight!r}, but must be a dict: {{class: weight}}"
        )
    outputs = outputs_of(model)
    if len(outputs) > 1:
        raise ConfigError(
            f"class_weight: {model.name!r} has {len(outputs)} outputs, so a row has no one class: "
            "use sample_weight_col"
        )
    if len(outputs[0].shape) != 1:
        raise ConfigError(f"class_weight: the model's output {outputs[0].shape} is no class a row")
    classes = max(2, outputs[0].shape[0] or 2)
    for key, weight in class_weight.items():
        if isinstance(key, bool) or not isinstance(key, Integral) or int(key) not in range(classes):
            raise ConfigError(f"class_weight: {key!r} is no class, there are 0 to {classes - 1}")
        if isinstance(weight, bool) or not isinstance(weight, Real) or not 0 <= float(weight) < inf:
            raise ConfigError(
                f"class_weight: {weight!r} of class {key!r} is no number of 0 or more"
            )
    return {int(key): float(weight) for key, weight in class_weight.items()}


def closed_inputs(model: Any, summary: Summary) -> tuple[Port, ...]:
    """The model's inputs with the shapes that the rows have; an open axis takes what is left.

    Args:
        model: built.
        summary: of the rows.

    Raises:
        DataError: if they do not fit.
    """
    return tuple(
        port._replace(shape=_closed(port.shape, column))
        for port, column in zip(inputs_of(model), summary.features, strict=True)
    )


def check_rows(
    model: Any, summary: Summary, class_weight: Mapping[int, float] | None = None
) -> None:
    """Compares model and rows.

    Args:
        model: compiled.
        summary: of the rows.
        class_weight: from ``check_class_weight``.

    Raises:
        DataError: if their shapes, or the labels' values, do not fit.
    """
    closed_inputs(model, summary)
    outputs = outputs_of(model)
    losses = map(loss_name, per_output(model.loss, outputs, "loss"))
    for loss, column, port in zip(losses, summary.labels, outputs, strict=True):
        _check_label(loss, column, port)
    if class_weight and outputs[0].shape == (1,):
        _check_range(summary.labels[0], "class_weight")


def _closed(shape: tuple[int | None, ...], column: ColumnSummary) -> tuple[int, ...]:
    known = prod(size for size in shape if size is not None)
    open_axes, width = shape.count(None), column.numbers
    if open_axes > 1 or (width % known if open_axes else width != known):
        raise DataError(
            f"column {column.name!r}: the rows have {width} features, but the model's input shape "
            f"{shape} takes {'a multiple of ' if open_axes else ''}{known}"
        )
    return tuple(width // known if size is None else size for size in shape)


def _check_label(loss: str, column: ColumnSummary, port: Port) -> None:
    shape = tuple(size for size in port.shape if size is not None)
    if len(shape) < len(port.shape):
        raise DataError(f"the model's output shape {port.shape} leaves an axis open")
    if column.width is None and len(shape) == 1:
        _check_scalar_label(loss, column, shape[0])
        return
    wanted = prod(target_shape(shape, loss))
    if column.numbers != wanted:
        what = f" takes {wanted} with {loss}" if wanted != prod(shape) else f" gives {wanted}"
        raise DataError(
            f"column {column.name!r} has {column.numbers} numbers a row, but the model's output "
            f"shape {shape}{what}"
        )


def _check_scalar_label(loss: str, column: ColumnSummary, units: int) -> None:
    if units == 1 and loss.startswith(("sparse", "categorical")):
        raise DataError(f"loss {loss} needs an output unit for each class, but the model has 1")
    if loss == "binary_crossentropy" and units == 1:
        _check_range(column, loss)
    low, high = _range(column)
    if units > 1 and (low < 0 or high >= units or low != int(low)):
        raise DataError(
            f"column {column.name!r} has labels from {low:g} to {high:g}, but the model's output "
            f"of {units} units takes class numbers from 0 to {units - 1}"
        )


def _check_range(column: ColumnSummary, what: str) -> None:
    low, high = _range(column)
    if low < 0 or high > 1:
        raise DataError(
            f"column {column.name!r} has labels from {low:g} to {high:g}, but {what} takes 0 to 1"
        )


def _range(column: ColumnSummary) -> tuple[float, float]:
    """Of the labels; arrays of one are not looked into, and pass."""
    if column.low is None or column.high is None:
        return 0.0, 0.0
    return column.low, column.high
