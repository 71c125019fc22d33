"""Keras models as files: checksummed, in one piece, loaded in safe mode."""

from __future__ import annotations

import os
import tempfile
import uuid
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from distkeras.errors import StorageError
from distkeras.storage.content import exists, local_copy, read_bytes, sha256, write_bytes
from distkeras.storage.local import LocalFiles, one_line
from distkeras.storage.places import files_of
from distkeras.storage.urls import Place, Url, locate

__all__ = ["load_model", "save_model"]


def save_model(model: Any, url: Url) -> None:
    """Saves a Keras model atomically, with its checksum beside it (``<url>.sha256``).

    A reader sees the old model or the new one, never half of one: the checksum file names both
    while the model is being replaced.

    Args:
        model: a ``keras.Model``.
        url: where to; must end in ``.keras``. Keras writes a local file first where the place is
            a remote one.

    Raises:
        StorageError: the ending is another one, no permission, no space, or no answer.
    """
    final = locate(url)
    if final.suffix != ".keras":
        raise StorageError(f"{os.fspath(url)}: a model's file name must end in .keras")
    files, staged = files_of(final), _beside(final)
    files.make_directory(str(final.parent))
    try:
        digest = _write(model, staged)
        files.flush(str(staged))
        _replace(staged, final, digest)
    finally:
        files.discard(str(staged))


def load_model(
    url: Url, custom_objects: Mapping[str, Any] | None = None, *, allow_lambda: bool = False
) -> Any:
    """Loads a Keras model in safe mode, after checking its checksum if one lies beside it.

    Args:
        url: a ``.keras`` file.
        custom_objects: the classes and functions that Keras does not know, by name.
        allow_lambda: whether ``Lambda`` layers may bring code of their own, which then runs here
            with all that this process may do: only for files that you have made yourself.

    Raises:
        StorageError: it is missing, damaged, or asks for code that safe mode refuses.
    """
    place = locate(url)
    with local_copy(place) as path:
        _check(place, sha256(path))
        import keras

        try:
            with warnings.catch_warnings():
                # A model from a trainer has no optimizer state: it stayed with the workers.
                warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
                return keras.saving.load_model(
                    path, custom_objects=custom_objects, safe_mode=not allow_lambda
                )
        except (ValueError, TypeError, OSError, KeyError, BadZipFile) as error:
            reason = " ".join(str(error).split())
            raise StorageError(f"{place}: cannot be loaded as a Keras model: {reason}") from error


def _check(place: Place, actual: str) -> None:
    expected = _checksums(place)
    if expected and actual not in expected:
        raise StorageError(
            f"{place}: damaged: its SHA-256 is {actual[:12]}..., {_sidecar(place).name} says "
            f"{expected[-1][:12]}..."
        )


def _write(model: Any, staged: Place) -> str:
    """Writes the model's file; returns its checksum."""
    if isinstance(staged, Path):
        with one_line(staged, "write"):
            model.save(staged)
        return sha256(staged)
    with tempfile.TemporaryDirectory(prefix="distkeras-model-") as folder:
        local = Path(folder, staged.name)
        with one_line(local, "write"):
            model.save(local)
        files_of(staged).write(str(staged), partial(LocalFiles().read, str(local)))
        return sha256(local)


def _replace(staged: Place, final: Place, new: str) -> None:
    files = files_of(final)
    old = [sha256(final)] if exists(final) else []
    _write_checksums(final, [*old, new])
    files.rename(str(staged), str(final), replace=True)
    _write_checksums(final, [new])


def _sidecar(model: Place) -> Place:
    return model.with_name(model.name + ".sha256")


def _write_checksums(model: Place, digests: list[str]) -> None:
    sidecar = _sidecar(model)
    files, staged = files_of(model), _beside(sidecar)
    lines = "".join(f"{digest}  {model.name}\n" for digest in digests)
    try:
        write_bytes(staged, lines.encode())
        files.flush(str(staged))
        files.rename(str(staged), str(sidecar), replace=True)
    finally:
        files.discard(str(staged))


def _beside(final: Place) -> Place:
    # Keras asks for its own ending.
    return final.with_name(f".{os.getpid()}-{uuid.uuid4().hex}-{final.name}")


def _checksums(model: Place) -> list[str]:
    sidecar = _sidecar(model)
    if not exists(sidecar):
        return []
    return [line.split()[0] for line in read_bytes(sidecar).decode().splitlines() if line]
