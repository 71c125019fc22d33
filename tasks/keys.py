"""What a result depends on, as one short key in its path."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from distkeras.errors import DistkerasError
from distkeras.storage import fingerprint, sha256
from tasks.config import DEADLINES, Experiment, ModelSpec
from tasks.modules import locate

__all__ = ["digest", "evaluate_parts", "preprocess_parts", "train_parts"]

LENGTH = 12


def digest(parts: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits of the SHA-256 over the parts, whatever their order."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def preprocess_parts(experiment: Experiment) -> dict[str, Any]:
    """The inputs' fingerprints and ``[preprocess]``.

    Raises:
        DataError: an input is missing.
        StorageError: an input's URL has a scheme that is not supported.
    """
    spec = experiment.preprocess
    inputs = {
        name: _fingerprint(source.path, f"preprocess.sources.{name}.path")
        for name, source in spec.sources.items()
    }
    return {"inputs": inputs, "config": spec.model_dump(mode="json")}


def train_parts(experiment: Experiment) -> dict[str, Any]:
    """``[train]`` and what the model is made from.

    Raises:
        ConfigError: the model's module or function is not there.
        DataError: the model's file is not there.
    """
    spec = experiment.train
    # Where it is trained, how many processes keep the center, how often it is saved meanwhile, who
    # looks on, and how long who waits, does not change what is learned.
    apart = {
        *("submit", "num_parameter_servers", "checkpoint_seconds", "tensorboard"),
        *DEADLINES,
    }
    config = spec.model_dump(mode="json", exclude=apart)
    return {"model": _model_digest(spec.model), "config": config}


def evaluate_parts(experiment: Experiment) -> dict[str, Any]:
    """``[evaluate]``."""
    return {"config": experiment.evaluate.model_dump(mode="json")}


def _model_digest(model: ModelSpec) -> str:
    if model.function is not None:
        return sha256(locate(model.function))
    assert model.file is not None
    return _fingerprint(model.file, "train.model.file")


def _fingerprint(path: str, key: str) -> str:
    try:
        return fingerprint(path)
    except DistkerasError as error:
        raise type(error)(f"{key}: {error}") from error
