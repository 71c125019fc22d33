"""What users touch: a trainer for each distributed optimizer.

Every trainer takes a Keras model and keyword arguments, and ``train(dataframe)`` returns a
trained Keras model. A trainer differs from the next by its rule and its defaults, no more.
"""

from __future__ import annotations

from collections.abc import Mapping

from distkeras.trainers.alone import EnsembleTrainer, SingleTrainer
from distkeras.trainers.asynchronous import (
    ADAG,
    AEASGD,
    DOWNPOUR,
    EAMSGD,
    GEM,
    DynSGD,
    Experimental,
)
from distkeras.trainers.base import Trainer
from distkeras.trainers.synchronous import EASGD, AveragingTrainer, DiLoCo

__all__ = [
    "ADAG",
    "AEASGD",
    "DOWNPOUR",
    "EAMSGD",
    "EASGD",
    "GEM",
    "TRAINERS",
    "AveragingTrainer",
    "DiLoCo",
    "DynSGD",
    "EnsembleTrainer",
    "Experimental",
    "SingleTrainer",
    "Trainer",
]

#: Every trainer of one model by its name.
TRAINERS: Mapping[str, type[Trainer]] = {
    trainer.__name__: trainer
    for trainer in (
        ADAG,
        AEASGD,
        AveragingTrainer,
        DOWNPOUR,
        DiLoCo,
        DynSGD,
        EAMSGD,
        EASGD,
        Experimental,
        GEM,
        SingleTrainer,
    )
}
