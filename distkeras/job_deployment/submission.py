"""What is sent: a job as JSON, and its model's file."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distkeras.errors import ConfigError
from distkeras.punchcard.checks import check_model_file
from distkeras.punchcard.job_file import JobFile, job_file
from distkeras.punchcard.told import Told
from distkeras.storage import Url, files_of
from distkeras.trainers.described import arguments_of

if TYPE_CHECKING:
    from distkeras.job_deployment.connection import Connection
    from distkeras.trainers import Trainer

__all__ = ["described", "new_key", "saved", "send", "trainer_part"]

_PIECE = 1 << 18
#: Bytes beyond any model that could be sent.
_MOST = 1 << 42


def new_key() -> str:
    """An idempotency key: sent again with it, a job is the same job."""
    return secrets.token_hex(16)


def trainer_part(trainer: Trainer) -> dict[str, Any]:
    """A trainer's name and arguments, without its model.

    Raises:
        ConfigError: names an argument that JSON cannot say.
    """
    return {"name": type(trainer).__name__, "arguments": arguments_of(trainer)}


def saved(trainer: Trainer, folder: Path) -> Path:
    """A trainer's model as a file in a folder.

    Raises:
        ConfigError: it is none, or has not been built.
    """
    from distkeras.models import check_built

    check_built(trainer.keras_model)
    path = folder / "model.keras"
    trainer.keras_model.save(path)
    return path


def described(values: Mapping[str, Any], model: Path) -> JobFile:
    """A job, checked as far as that can be done here.

    Args:
        values: of a ``JobFile``, without ``model``.
        model: a ``.keras`` file.

    Raises:
        ConfigError: one line that names the key, or what the model has that no job may have.
    """
    try:
        size = model.stat().st_size
        check_model_file(model, _MOST)
        digest = hashlib.sha256()
        for piece in _pieces(model):
            digest.update(piece)
    except OSError as error:
        raise ConfigError(f"model: {model}: {error.strerror}") from None
    return job_file({**values, "model": {"sha256": digest.hexdigest(), "bytes": size}})


def send(connection: Connection, job: JobFile, model: Url, key: str) -> str:
    """Submits a job, once however often it is sent; returns its id.

    Args:
        connection: to the server.
        job: what to send.
        model: the ``.keras`` file, local or on HDFS.
        key: of the submission, from ``new_key``.

    Raises:
        ConfigError, AuthenticationError, ServiceError: see ``Connection.ask``.
    """
    headers = {"Idempotency-Key": key}
    told = connection.ask("POST", "jobs", Told, body=job.model_dump(), headers=headers)
    name: str = told["id"]
    if told["state"] == "submitted":
        files, path = files_of(model), os.fspath(model)
        length = {"Content-Length": str(job.model.bytes)}
        kind = {"Content-Type": "application/octet-stream"}
        connection.ask(
            "PUT",
            f"jobs/{name}/model",
            Told,
            content=lambda: files.read(path),
            headers=length | kind,
        )
    return name


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece
