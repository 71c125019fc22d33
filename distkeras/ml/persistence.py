"""Saving and loading: Spark ML's metadata, and a Keras file beside it.

A saved estimator or model is a folder::

    metadata/              class, uid and parameters, as Spark ML writes them
    model.keras            the Keras model, and model.keras.sha256, its checksum
    history.parquet        of a trained model: a row for each merged window

The metadata are written last: what has none is not whole, and is not loaded. Nothing in the
folder is ever unpickled.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from pyspark.ml.util import DefaultParamsReader, DefaultParamsWriter, MLReader, MLWriter

from distkeras.errors import StorageError
from distkeras.history import History
from distkeras.ml.files import SparkFiles, storage_errors
from distkeras.storage import load_model, save_model

__all__ = ["KerasReader", "KerasWriter"]

_MODEL, _HISTORY = "model.keras", "history.parquet"


class _Trained(Protocol):
    """What is written; an estimator has neither history nor report."""

    keras_model: Any
    uid: str


Saved = TypeVar("Saved")


class KerasWriter(MLWriter):
    """Writes an estimator or a model.

    Args:
        instance: which.
    """

    def __init__(self, instance: _Trained) -> None:
        super().__init__()
        self.instance = instance

    def saveImpl(self, path: str) -> None:  # noqa: N802 - Spark ML calls it so
        """Writes to a path where nothing is.

        Args:
            path: a folder on any file system that Spark reaches.

        Raises:
            StorageError: something is there, or it cannot be written.
        """
        files = SparkFiles(self.sparkSession, path)
        if files.exists():
            raise StorageError(f"{path}: exists; write().overwrite().save(path) replaces it")
        with tempfile.TemporaryDirectory() as folder:
            save_model(self.instance.keras_model, Path(folder, _MODEL))
            history = getattr(self.instance, "history", None)
            if history is not None:
                history.to_parquet(Path(folder, _HISTORY))
            for local in sorted(Path(folder).iterdir()):
                files.put(local)
        # Times and paths in a report are told as text.
        report = json.loads(json.dumps(getattr(self.instance, "report", {}), default=str))
        with storage_errors(path):
            DefaultParamsWriter.saveMetadata(
                self.instance,  # type: ignore[arg-type]
                path,
                self.sparkSession,
                extraMetadata={"report": report},
            )


class KerasReader(MLReader[Any], Generic[Saved]):
    """Reads an estimator or a model.

    Args:
        kind: the class that is expected.
    """

    def __init__(self, kind: type[Saved]) -> None:
        super().__init__()
        self.kind = kind

    def load(self, path: str) -> Saved:
        """Reads from a path.

        Custom layers and losses must be registered with ``keras.saving`` before.

        Args:
            path: that ``save`` wrote.

        Raises:
            StorageError: it is missing, damaged, or holds something else.
        """
        files = SparkFiles(self.sparkSession, path)
        with storage_errors(path):
            metadata = DefaultParamsReader.loadMetadata(path, self.sparkSession)
        expected = f"{self.kind.__module__}.{self.kind.__name__}"
        if metadata["class"] != expected:
            raise StorageError(f"{path}: holds a {metadata['class']}, not a {expected}")
        with tempfile.TemporaryDirectory() as folder:
            instance: Any = self.kind(_fetched_model(files, folder))  # type: ignore[call-arg]
            if files.exists(_HISTORY):
                files.get(Path(folder, _HISTORY))
                instance.history = _history(Path(folder, _HISTORY))
                instance.report = metadata["report"]
        instance._resetUid(metadata["uid"])
        DefaultParamsReader.getAndSetParams(instance, metadata)
        found: Saved = instance
        return found


def _fetched_model(files: SparkFiles, folder: str) -> Any:
    local = Path(folder, _MODEL)
    for file in (local, local.with_name(f"{_MODEL}.sha256")):
        files.get(file)
    try:
        return load_model(local)
    except StorageError as error:
        raise StorageError(str(error).replace(folder, files.url)) from None


def _history(file: Path) -> History:
    import pyarrow.parquet as pq

    return History.from_arrow(pq.read_table(file))
