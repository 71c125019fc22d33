from __future__ import annotations

from typing import Any

import keras
import pytest

from distkeras.replica.xla import xla_helps


@pytest.mark.parametrize(
    ("layers", "xla"),
    [
        ([keras.layers.Dense(2)], True),
        ([keras.layers.Reshape((5, 1)), keras.layers.LSTM(2)], True),
        ([keras.layers.Dense(2), keras.layers.BatchNormalization()], True),
        ([keras.layers.Dense(2), keras.layers.Dropout(0.1)], False),
        ([keras.layers.Dense(2), keras.layers.Dropout(0.0)], True),
        ([keras.layers.Dense(2), keras.layers.GaussianNoise(0.1)], False),
        ([keras.layers.Reshape((5, 1)), keras.layers.GRU(2, recurrent_dropout=0.1)], False),
        ([keras.layers.Reshape((5, 1)), keras.layers.Conv1D(2, 3)], False),
        ([keras.Sequential([keras.layers.Reshape((5, 1)), keras.layers.Conv1D(2, 3)])], False),
    ],
)
def test_xla_is_left_out_where_it_is_slow(layers: list[Any], xla: bool) -> None:
    assert xla_helps(keras.Sequential([keras.Input((5,)), *layers])) is xla
