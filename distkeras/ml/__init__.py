"""Spark ML: a trainer as an estimator, a trained Keras model as a model.

Both stand in a ``pyspark.ml.Pipeline`` and in ``pyspark.ml.tuning.CrossValidator``, and are saved
and loaded with them.
"""

from distkeras.ml.estimator import KerasEstimator
from distkeras.ml.model import KerasModel

__all__ = ["KerasEstimator", "KerasModel"]
