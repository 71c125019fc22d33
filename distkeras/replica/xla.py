"""Whether XLA compiles a model's windows, and what happens where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["compiled", "xla_helps"]

#: How much a layer that can draw random numbers draws; recurrent layers can, and rarely do.
_RATES = ("rate", "stddev", "dropout", "recurrent_dropout")

#: Layers for which XLA on the CPU is many times slower than TensorFlow's own kernels.
_SLOW_IN_XLA = ("Conv", "DepthwiseConv", "SeparableConv", "ConvLSTM")


def xla_helps(model: Any) -> bool:
    """Whether XLA makes the window faster: on the CPU, unless it has to convolve or draw numbers.

    Convolutions and Dropout are many times slower in XLA on the CPU than in TensorFlow's own
    kernels; most else is faster. The choice goes by the layers and not by the clock, so that the
    same seed gives the same model.

    Args:
        model: a built ``keras.Model``.
    """
    layers = list(model._flatten_layers())
    convolves = any(type(layer).__name__.startswith(_SLOW_IN_XLA) for layer in layers)
    return not convolves and not any(map(_draws, layers))


def compiled(function: Callable[..., Any], jit: bool) -> Callable[..., Any]:
    """A function of tensors as a graph.

    Args:
        function: to be traced once per shape of its arguments.
        jit: whether XLA compiles it. An operation that XLA does not know sends the whole
            function back to TensorFlow, for good.
    """
    import tensorflow as tf

    plain: Callable[..., Any] = tf.function(function, autograph=False, jit_compile=False)
    if not jit:
        return plain
    chosen: list[Callable[..., Any]] = [tf.function(function, autograph=False, jit_compile=True)]

    def call(*arguments: Any) -> Any:
        try:
            return chosen[0](*arguments)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            if chosen[0] is plain:
                raise
            chosen[0] = plain  # This model has an operation that XLA does not know.
            return plain(*arguments)

    return call


def _draws(layer: Any) -> bool:
    """Whether a layer draws random numbers in training."""
    if getattr(layer, "seed_generator", None) is None:
        return False
    rates = [getattr(layer, name, None) for name in _RATES]
    known = [rate for rate in rates if isinstance(rate, int | float)]
    return any(known) if known else True
