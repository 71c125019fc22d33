"""A model and a preprocessor as a Train task leaves them, and raw rows for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from distkeras.preprocessing.preprocessor import (
    CategoricalColumn,
    LabelColumn,
    NumericColumn,
    Preprocessor,
)
from distkeras.storage import save_model

CLASSES = ["g", "h", 'it"s']


def preprocessor(**label: Any) -> Preprocessor:
    """Two numbers and a color: five features."""
    return Preprocessor(
        numeric=[
            NumericColumn(name="a", fill=0.5, shift=1.0, factor=0.5),
            NumericColumn(name="b.c", fill=0.0, shift=0.0, factor=1.0),
        ],
        categorical=[
            CategoricalColumn(
                name="color",
                kind="string",
                categories=["blue", "red"],
                encoding="onehot",
                unseen="other",
            )
        ],
        label=LabelColumn(
            **{"name": "class", "kind": "string", "classes": CLASSES} | label  # type: ignore[arg-type]
        ),
        missing_numbers=[-999.0],
        missing_texts=["NA"],
    )


def trained(folder: Path, outputs: int = 3, dimension: int = 5, **label: Any) -> Path:
    """A folder with ``model.keras`` and ``preprocessor.json``."""
    import keras

    keras.utils.set_random_seed(3)
    layers = [
        keras.Input((dimension,)),
        keras.layers.Dense(7, "relu"),
        keras.layers.Dense(outputs, "softmax" if outputs > 1 else "sigmoid"),
    ]
    folder.mkdir()
    save_model(keras.Sequential(layers), folder / "model.keras")
    preprocessor(**label).save(folder / "preprocessor.json")
    return folder


def raw_rows(count: int) -> pd.DataFrame:
    """All of it text, with what is missing, and names and values that need quotes."""
    rng = np.random.default_rng(1)
    numbers = rng.normal(1, 2, count).round(4).astype(str)
    return pd.DataFrame(
        {
            "id": [f"event {number}" for number in range(count)],
            "a": np.where(rng.random(count) < 0.1, "-999.0", numbers),
            "b.c": np.where(rng.random(count) < 0.1, "NA", rng.integers(0, 9, count).astype(str)),
            "color": rng.choice(["red", "blue", "green, or so", 'a "new" one'], count),
            "label": rng.choice(["x", "y"], count),
        }
    )
