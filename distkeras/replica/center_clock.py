"""Learning-rate schedules that follow the center instead of the worker.

A worker's optimizer counts the worker's own mini-batches; with n workers a schedule that reads
this count would run n times too slow. So the schedule reads the center's clock, while everything
else in the optimizer, such as Adam's bias correction, keeps the local count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["CenterClock", "on_center_clock"]


class CenterClock:
    """A learning rate for Keras: a schedule, read at a clock that is set from outside.

    Args:
        schedule: step -> learning rate, as ``keras.optimizers.schedules`` has them.
    """

    def __init__(self, schedule: Callable[[Any], Any]) -> None:
        import tensorflow as tf

        self._schedule = schedule
        # A variable, so that a compiled window needs no new trace when the clock has moved.
        self._now = tf.Variable(0, dtype=tf.int64, trainable=False)

    def __call__(self) -> Any:
        """The learning rate now, a scalar tensor."""
        return self._schedule(self._now.read_value())

    def set(self, now: Any) -> None:
        """Moves the clock; possible in a compiled function too.

        Args:
            now: mini-batches merged into the center, int64.
        """
        self._now.assign(now)


def on_center_clock(optimizer: Any) -> CenterClock | None:
    """Has the optimizer read its schedule at the center's clock.

    Args:
        optimizer: of Keras; changed if it has a schedule.

    Returns:
        The clock to set; None if the learning rate is a number.
    """
    import keras

    # Mixed precision wraps the optimizer into one that scales the loss.
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    schedule = getattr(inner, "_learning_rate", None)
    if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        return None
    clock = CenterClock(schedule)
    inner.learning_rate = clock
    return clock
