"""The parameters of estimator and model, under Spark ML's kind of names."""

# Spark ML's names are in camelCase.
# ruff: noqa: N815

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, TypeVar

from pyspark.ml.param import Param, Params

from distkeras.errors import ConfigError
from distkeras.ml import values
from distkeras.trainers import TRAINERS

__all__ = ["KERAS_KEYWORDS", "KEYWORDS", "CheckedParams", "ScoringParams", "TrainingParams"]

#: The parameters that a trainer takes as a keyword, and what it calls them.
KEYWORDS = {
    "worker_optimizer": "workerOptimizer",
    "loss": "loss",
    "metrics": "metrics",
    "features_col": "featuresCol",
    "label_col": "labelCol",
    "sample_weight_col": "weightCol",
    "class_weight": "classWeight",
    "num_epoch": "numEpoch",
    "batch_size": "batchSize",
    "num_workers": "numWorkers",
    "communication_window": "communicationWindow",
    "learning_rate": "learningRate",
    "seed": "seed",
}

#: Those of them that Keras objects are made for.
KERAS_KEYWORDS = ("worker_optimizer", "loss", "metrics")

Owner = TypeVar("Owner", bound="CheckedParams")


def _param(name: str, doc: str, converter: values.Converter) -> Param[Any]:
    return Param(Params._dummy(), name, doc, converter)


def _pair(name: str) -> tuple[Callable[[Owner, Any], Owner], Callable[[Any], Any]]:
    """The methods that set a parameter and get it, as Spark ML has for each."""

    def set_value(self: Owner, value: Any) -> Owner:
        return self._set(**{name: value})

    def get_value(self: Any) -> Any:
        return self.getOrDefault(name)

    suffix = name[0].upper() + name[1:]
    set_value.__name__, get_value.__name__ = f"set{suffix}", f"get{suffix}"
    set_value.__doc__ = f"Sets ``{name}``; returns the same object."
    get_value.__doc__ = f"What ``{name}`` is set to, or its default."
    return set_value, get_value


class CheckedParams(Params):
    """Parameters whose values are checked at once, by whatever way they are set.

    Raises:
        ConfigError: a name that is no parameter, or a value that cannot work.
    """

    def _set(self: Owner, **given: Any) -> Owner:
        for name, value in given.items():
            param = self._named(name)
            self._paramMap[param] = param.typeConverter(value)
        return self

    def set(self, param: Param[Any], value: Any) -> None:
        """Sets a parameter.

        Args:
            param: of this object.
            value: for it.

        Raises:
            ConfigError: the value cannot work.
            ValueError: the parameter is another object's.
        """
        self._shouldOwn(param)
        self._set(**{param.name: value})

    def _named(self, name: str) -> Param[Any]:
        if not self.hasParam(name):
            known = [param.name for param in self.params]
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise ConfigError(f"{type(self).__name__} has no parameter {name}; {hint}")
        return self.getParam(name)


class ScoringParams(CheckedParams):
    """What a model needs to predict."""

    featuresCol = _param(
        "featuresCol",
        "column of the features: ML vectors, arrays or numbers; for several inputs a list",
        values.columns("featuresCol"),
    )
    predictionCol = _param(
        "predictionCol",
        "column to append with the class number or the value, double; '' for none",
        values.column("predictionCol"),
    )
    probabilityCol = _param(
        "probabilityCol",
        "column to append with the probability of each class, ML vector; '' for none",
        values.column("probabilityCol"),
    )
    kind = _param(
        "kind",
        "what the model predicts, 'classes' or 'regression'; 'auto' goes by its loss",
        values.one_of("kind", ("auto", "classes", "regression")),
    )

    setFeaturesCol, getFeaturesCol = _pair("featuresCol")
    setPredictionCol, getPredictionCol = _pair("predictionCol")
    setProbabilityCol, getProbabilityCol = _pair("probabilityCol")
    setKind, getKind = _pair("kind")

    def __init__(self) -> None:
        super().__init__()
        self._setDefault(featuresCol="features", predictionCol="prediction")
        self._setDefault(probabilityCol="probability", kind="auto")


class TrainingParams(ScoringParams):
    """What a trainer needs besides; None leaves each to the trainer's own default."""

    trainer = _param(
        "trainer",
        "name of the trainer, a key of distkeras.trainers.TRAINERS",
        values.one_of("trainer", TRAINERS),
    )
    workerOptimizer = _param(
        "workerOptimizer",
        "Keras optimizer of the local steps; None: the compiled model's",
        values.keras_object("workerOptimizer"),
    )
    loss = _param("loss", "Keras loss; None: the compiled model's", values.keras_object("loss"))
    metrics = _param(
        "metrics",
        "list of Keras metrics; None: the compiled model's",
        values.optional(values.keras_objects("metrics")),
    )
    labelCol = _param("labelCol", "column of the labels", values.column("labelCol"))
    weightCol = _param(
        "weightCol",
        "column of how much a row counts in the loss; None: each 1",
        values.optional(values.column("weightCol")),
    )
    classWeight = _param(
        "classWeight",
        "how much a row counts by its class, {class number: weight}; None: each 1",
        values.optional(values.class_weights("classWeight")),
    )
    batchSize = _param("batchSize", "rows in a mini-batch", values.count("batchSize"))
    numEpoch = _param("numEpoch", "passes over the data", values.count("numEpoch"))
    numWorkers = _param(
        "numWorkers",
        "workers; None: 2, for SingleTrainer 1",
        values.optional(values.count("numWorkers")),
    )
    communicationWindow = _param(
        "communicationWindow",
        "mini-batches between two exchanges; None: the trainer's own",
        values.optional(values.count("communicationWindow")),
    )
    learningRate = _param(
        "learningRate",
        "the trainer's learning_rate; None: its own, or the optimizer's",
        values.optional(values.above_zero("learningRate")),
    )
    seed = _param("seed", "of shuffles and of all that is random", values.count("seed", 0))
    shuffle = _param("shuffle", "draw which worker gets which row", values.flag("shuffle"))
    trainerArguments = _param(
        "trainerArguments",
        "dict of further keywords of the trainer, e.g. {'rho': 5.0}",
        values.keywords("trainerArguments", KEYWORDS),
    )

    setTrainer, getTrainer = _pair("trainer")
    setWorkerOptimizer, getWorkerOptimizer = _pair("workerOptimizer")
    setLoss, getLoss = _pair("loss")
    setMetrics, getMetrics = _pair("metrics")
    setLabelCol, getLabelCol = _pair("labelCol")
    setWeightCol, getWeightCol = _pair("weightCol")
    setClassWeight, getClassWeight = _pair("classWeight")
    setBatchSize, getBatchSize = _pair("batchSize")
    setNumEpoch, getNumEpoch = _pair("numEpoch")
    setNumWorkers, getNumWorkers = _pair("numWorkers")
    setCommunicationWindow, getCommunicationWindow = _pair("communicationWindow")
    setLearningRate, getLearningRate = _pair("learningRate")
    setSeed, getSeed = _pair("seed")
    setShuffle, getShuffle = _pair("shuffle")
    setTrainerArguments, getTrainerArguments = _pair("trainerArguments")

    def __init__(self) -> None:
        super().__init__()
        self._setDefault(trainer="ADAG", workerOptimizer=None, loss=None, metrics=["accuracy"])
        self._setDefault(labelCol="label", weightCol=None, classWeight=None)
        self._setDefault(batchSize=32, numEpoch=1, numWorkers=None, communicationWindow=None)
        self._setDefault(learningRate=None, seed=0, shuffle=False, trainerArguments={})
