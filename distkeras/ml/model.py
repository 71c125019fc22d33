"""A trained Keras model as a Spark ML model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.ml import Model
from pyspark.ml.util import MLReadable, MLWritable

from distkeras.errors import ConfigError
from distkeras.history import History
from distkeras.ml import outputs
from distkeras.ml.params import ScoringParams
from distkeras.ml.persistence import KerasReader, KerasWriter
from distkeras.ml.values import registered
from distkeras.models import check_built, outputs_of
from distkeras.predictors import ModelPredictor
from distkeras.transformers.base import check_output

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["KerasModel", "check_free", "check_one_output"]


class KerasModel(Model, ScoringParams, MLReadable["KerasModel"], MLWritable):
    """Predicts with a Keras model in a Spark ML pipeline.

    ``transform`` appends ``predictionCol``: for classes the class number as double (the largest
    of several outputs; whether a single one is at least 0.5), for a regression the value as
    double, or an ML vector where the model has several numbers. For classes it appends
    ``probabilityCol`` too, an ML vector with a number for each class: two for a single output,
    [1 - p, p]. Logits (a loss with ``from_logits=True``) are turned into probabilities.

    ``KerasEstimator.fit`` makes one; a Keras model from elsewhere can be wrapped as well.

    Args:
        keras_model: built, of one output; the loss that it is compiled with tells classes from a
            regression where ``kind`` is "auto": ``...crossentropy`` or a softmax at the end mean
            classes.
        **params: ``featuresCol``, ``predictionCol``, ``probabilityCol``, ``kind``.

    Attributes:
        keras_model: see above.
        history: the ``History`` of the training; None if it was trained elsewhere.
        report: of the training, see ``Trainer``; empty if it was trained elsewhere.

    Raises:
        ConfigError: an argument cannot work.
    """

    # Where a saved one says that its class is: not the file, which may move.
    __module__ = "distkeras.ml"

    def __init__(self, keras_model: Any, **params: Any) -> None:
        super().__init__()
        check_one_output(keras_model)
        self.keras_model = keras_model
        self.history: History | None = None
        self.report: dict[str, Any] = {}
        self._set(**params)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        check_free(self, dataset)
        name = f"{self.uid} output"
        custom = registered(self.keras_model)
        predictor = ModelPredictor(
            self.keras_model, self.getFeaturesCol(), name, custom_objects=custom
        )
        columns = outputs.columns_of(outputs.Reading.of(self.keras_model, self.getKind()), name)
        asked = {"prediction": self.getPredictionCol(), "probability": self.getProbabilityCol()}
        added = {asked[what]: column for what, column in columns.items() if asked[what]}
        return predictor.predict(dataset).withColumns(added).drop(name)

    def write(self) -> KerasWriter:
        """What saves it: ``write().overwrite().save(path)``."""
        return KerasWriter(self)

    @classmethod
    def read(cls) -> KerasReader[KerasModel]:
        """What loads it: ``read().load(path)``."""
        return KerasReader(cls)


def check_free(params: ScoringParams, dataset: DataFrame) -> None:
    """Refuses to overwrite a column.

    Args:
        params: name the columns to append.
        dataset: that must have none of them.

    Raises:
        ConfigError: it has one, or both are to have one name.
    """
    names = {name: params.getOrDefault(name) for name in ("predictionCol", "probabilityCol")}
    for argument, column in names.items():
        if column:
            check_output(dataset, column, argument)
    if names["predictionCol"] and names["predictionCol"] == names["probabilityCol"]:
        raise ConfigError(f"predictionCol and probabilityCol are both {names['predictionCol']!r}")


def check_one_output(model: Any) -> None:
    """Refuses what is no built model of one output.

    Raises:
        ConfigError: says what it is instead.
    """
    check_built(model)
    found = outputs_of(model)
    if len(found) != 1:
        names = ", ".join(port.name for port in found)
        raise ConfigError(
            f"keras_model: {model.name!r} has {len(found)} outputs ({names}), Spark ML has a "
            "column for 1: use distkeras.trainers"
        )
