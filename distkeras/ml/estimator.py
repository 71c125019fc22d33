"""A trainer as a Spark ML estimator."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

from pyspark.ml import Estimator
from pyspark.ml.util import MLReadable, MLWritable

from distkeras.errors import ConfigError
from distkeras.ml import values
from distkeras.ml.model import KerasModel, check_free, check_one_output
from distkeras.ml.params import KERAS_KEYWORDS, KEYWORDS, TrainingParams
from distkeras.ml.persistence import KerasReader, KerasWriter
from distkeras.predictors import ModelPredictor
from distkeras.trainers import TRAINERS, Trainer

if TYPE_CHECKING:
    from pyspark.ml.param import Param
    from pyspark.sql import DataFrame

__all__ = ["KerasEstimator"]


class KerasEstimator(
    Estimator[KerasModel], TrainingParams, MLReadable["KerasEstimator"], MLWritable
):
    """Trains a Keras model with a distributed optimizer, as a stage of a Spark ML pipeline.

    Example:
        ``KerasEstimator(model, "ADAG", "adam", "binary_crossentropy", numEpoch=5).fit(frame)``

    Each argument but the model is a Spark ML parameter, with a method that sets it, one that gets
    it, and a place in a ``ParamGridBuilder``: ``addGrid(estimator.batchSize, [16, 64])``.
    ``explainParams()`` lists them. A value that cannot work is refused when it is set.

    Args:
        keras_model: a built ``keras.Model`` of one output; it is not changed.
        trainer: a key of ``distkeras.trainers.TRAINERS``.
        worker_optimizer: the parameter ``workerOptimizer``: name, configuration or instance;
            None takes that of a compiled model. An instance is kept as its configuration.
        loss: likewise, the loss.
        metrics: a list of such, the metrics.
        **params: the other parameters: ``featuresCol``, ``labelCol``, ``weightCol``,
            ``predictionCol``, ``probabilityCol``, ``kind``, ``classWeight``, ``batchSize``,
            ``numEpoch``, ``numWorkers``, ``communicationWindow``, ``learningRate``, ``seed``,
            ``shuffle``, and ``trainerArguments``, a dict of further keywords of the trainer.

    Attributes:
        keras_model: see above.

    Raises:
        ConfigError: an argument cannot work.
    """

    # Where a saved one says that its class is: not the file, which may move.
    __module__ = "distkeras.ml"

    def __init__(
        self,
        keras_model: Any,
        trainer: str = "ADAG",
        worker_optimizer: Any = None,
        loss: Any = None,
        metrics: Sequence[Any] | None = ("accuracy",),
        **params: Any,
    ) -> None:
        super().__init__()
        check_one_output(keras_model)
        self.keras_model = keras_model
        named = {"trainer": trainer, "workerOptimizer": worker_optimizer, "loss": loss}
        self._set(**{**named, "metrics": metrics, **params})

    def fitMultiple(  # noqa: N802 - Spark ML calls it so
        self,
        dataset: DataFrame,
        paramMaps: Sequence[dict[Param[Any], Any]],  # noqa: N803
    ) -> Iterator[tuple[int, KerasModel]]:
        """Trains once for each map of parameters; all are checked before the first.

        Args:
            dataset: with the columns of features and labels.
            paramMaps: parameter -> value.

        Returns:
            A thread-safe iterator of (index in ``paramMaps``, model).

        Raises:
            ConfigError: an argument cannot work.
        """
        for extra in paramMaps:
            self.copy(extra)._trainer()
        return super().fitMultiple(dataset, paramMaps)

    def _fit(self, dataset: DataFrame) -> KerasModel:
        trainer = self._trainer()
        check_free(self, dataset)
        # What could not predict is refused before it is trained.
        ModelPredictor(self.keras_model, self.getFeaturesCol())
        fitted = KerasModel(trainer.train(dataset, shuffle=self.getShuffle()))
        fitted.history, fitted.report = trainer.history, trainer.report
        return self._copyValues(fitted._resetUid(self.uid))

    def _trainer(self) -> Trainer:
        make = TRAINERS[self.getTrainer()]
        keywords = self._plain_keywords() | self.getTrainerArguments()
        custom = _registered(self)
        if custom:
            keywords["custom_objects"] = custom
        try:
            return make(self.keras_model, **self._keras_keywords(), **keywords)
        except TypeError as problem:
            raise _unknown(make, self.getTrainerArguments(), problem) from None

    def _plain_keywords(self) -> dict[str, Any]:
        """Without those that are None: each trainer has a default of its own."""
        given = {keyword: self.getOrDefault(name) for keyword, name in KEYWORDS.items()}
        return {
            keyword: value
            for keyword, value in given.items()
            if value is not None and keyword not in KERAS_KEYWORDS
        }

    def _keras_keywords(self) -> dict[str, Any]:
        metrics = self.getMetrics()
        if metrics is not None:
            metrics = [values.restored(metric, "metrics") for metric in metrics]
        return {
            "worker_optimizer": values.restored(self.getWorkerOptimizer(), "workerOptimizer"),
            "loss": values.restored(self.getLoss(), "loss"),
            "metrics": metrics,
        }

    def write(self) -> KerasWriter:
        """What saves it: ``write().overwrite().save(path)``."""
        return KerasWriter(self)

    @classmethod
    def read(cls) -> KerasReader[KerasEstimator]:
        """What loads it: ``read().load(path)``."""
        return KerasReader(cls)


def _registered(estimator: KerasEstimator) -> dict[str, Any]:
    """What the model and its arguments use of the objects that the user registered with Keras."""
    arguments = [estimator.getOrDefault(KEYWORDS[keyword]) for keyword in KERAS_KEYWORDS]
    return values.registered(estimator.keras_model, arguments)


def _unknown(make: type[Trainer], given: dict[str, Any], problem: TypeError) -> ConfigError:
    """Which of the further keywords the trainer does not take."""
    known = {
        parameter.name
        for base in make.__mro__
        if isinstance(vars(base).get("__init__"), FunctionType)
        for parameter in inspect.signature(vars(base)["__init__"]).parameters.values()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    } - {"self", "keras_model", *KEYWORDS}
    for keyword in given:
        if keyword not in known:
            near = difflib.get_close_matches(keyword, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
            return ConfigError(f"trainerArguments: {make.__name__} has no {keyword!r}; {hint}")
    return ConfigError(f"trainerArguments {given!r}: {problem}")
