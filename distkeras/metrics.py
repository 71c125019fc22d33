"""The metrics that a user gave, checked and copied: one list for each output of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distkeras.errors import ConfigError
from distkeras.models import Port, custom, per_output

__all__ = ["copied_metrics"]

#: Keras makes these out of the loss and the shapes, so they are no metrics by name.
_BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")


def copied_metrics(
    metrics: Any, outputs: Sequence[Port], custom_objects: Mapping[str, Any]
) -> list[Any] | None:
    """What ``model.compile`` is to be told.

    Args:
        metrics: names, functions or instances of Keras metrics. For one output a list. For
            several a list with an entry (or a list of entries) for each in their order, or a dict
            by their names, not necessarily all; a list of one entry is for every output. None or
            nothing: no metrics.
        outputs: of the model.
        custom_objects: classes and functions that Keras does not know, by name.

    Returns:
        For one output a list of metrics, for several a list of such lists. Instances are copies:
        a metric is state, and the user's stays as it is.

    Raises:
        ConfigError: for what Keras does not know or what does not fit the outputs.
    """
    if isinstance(metrics, str):
        raise ConfigError(f"metrics is {metrics!r}, but must be a list: [{metrics!r}]")
    if not metrics:
        return None
    if len(outputs) == 1:
        flat = list(metrics.values()) if isinstance(metrics, dict) else list(metrics)
        return [_copy(metric, custom_objects) for entry in flat for metric in _listed(entry)]
    return [
        [_copy(metric, custom_objects) for metric in _listed(entry)]
        for entry in per_output(_completed(metrics, outputs), outputs, "metrics")
    ]


def _completed(metrics: Any, outputs: Sequence[Port]) -> Any:
    """With nothing for the outputs that a dict leaves out, and one entry for all spread out."""
    if isinstance(metrics, dict):
        return {port.name: [] for port in outputs} | metrics
    return metrics[0] if len(metrics) == 1 else metrics


def _listed(entry: Any) -> list[Any]:
    if entry is None:
        return []
    return list(entry) if isinstance(entry, list | tuple) else [entry]


def _copy(metric: Any, custom_objects: Mapping[str, Any]) -> Any:
    import keras

    metric, known = custom(metric, custom_objects), dict(custom_objects)
    try:
        if isinstance(metric, keras.metrics.Metric):
            return keras.metrics.deserialize(keras.metrics.serialize(metric), known)
        if not callable(metric) and metric not in _BY_SHAPE:
            keras.metrics.get(metric)
    except (TypeError, ValueError, NotImplementedError):
        hint = "" if isinstance(metric, str) else ": is its class in custom_objects?"
        raise ConfigError(f"metrics: Keras knows no metric {metric!r}{hint}") from None
    return metric
