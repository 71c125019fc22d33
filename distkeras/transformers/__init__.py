"""What is done to columns before and after a model: the transformers of dist-keras 0.2.1.

Each takes a DataFrame and returns it with one more column. They are Spark column expressions: no
row leaves the JVM, and nothing is computed before an action, the means of ``StandardTransformer``
excepted. Columns of numbers are plain numbers, arrays (nested ones are read row-major) or ML
vectors, dense and sparse. A null row stays null. What a row holds can be wrong in ways that only
an action finds: that raises Spark's error with one line of ours, which names column and value.

Example:
    ``MinMaxTransformer(0, 255, 0, 1, "pixels", "features").transform(frame)``
"""

from __future__ import annotations

from distkeras.transformers.base import Transformer
from distkeras.transformers.labels import (
    BinaryLabelTransformer,
    LabelIndexTransformer,
    OneHotTransformer,
)
from distkeras.transformers.scaling import MinMaxTransformer, StandardTransformer
from distkeras.transformers.shapes import DenseTransformer, ReshapeTransformer

__all__ = [
    "BinaryLabelTransformer",
    "DenseTransformer",
    "LabelIndexTransformer",
    "MinMaxTransformer",
    "OneHotTransformer",
    "ReshapeTransformer",
    "StandardTransformer",
    "Transformer",
]
