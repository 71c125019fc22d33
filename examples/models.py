"""Models that the configs name: functions that return a Keras model, not compiled.

``dimension`` and ``classes`` are filled in from the data; the rest comes from
``[train.model] arguments``.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras


def mlp(
    dimension: int,
    classes: int,
    hidden: Sequence[int] = (128, 64),
    activation: str = "relu",
    dropout: float = 0.0,
) -> keras.Model:
    """Fully connected layers, then softmax over the classes (or one number for regression).

    Args:
        dimension: number of features.
        classes: number of classes; 1 for regression.
        hidden: units of each hidden layer.
        activation: of the hidden layers.
        dropout: share of units dropped after each hidden layer while training, 0 to 1.
    """
    model = keras.Sequential([keras.Input((dimension,))])
    for units in hidden:
        model.add(keras.layers.Dense(units, activation=activation))
        if dropout:
            model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(classes, activation="softmax" if classes > 1 else None))
    return model
