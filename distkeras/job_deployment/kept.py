"""A submission that outlives the process that made it.

What is sent is kept in a folder as it is: the key, the job, and the very bytes of the model, for
Keras never writes one twice to the same bytes. So whoever comes later, or at the same time, sends
the same again, and the server answers with the same job, whatever was in between.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from distkeras.errors import ConfigError, StorageError
from distkeras.job_deployment.connection import Connection
from distkeras.job_deployment.remote import RemoteJob
from distkeras.job_deployment.submission import send
from distkeras.punchcard.job_file import JobFile, job_file
from distkeras.storage import (
    Place,
    Url,
    exists,
    locate,
    publish,
    read_bytes,
    read_json,
    write_bytes,
    write_json,
)

__all__ = ["Kept", "KeptSubmission"]

_JOB, _MODEL = "job.json", "model.keras"


class Kept(NamedTuple):
    """What a folder holds.

    Attributes:
        server: its URL.
        key: of the submission.
        job: as it is sent.
        model: the ``.keras`` file.
    """

    server: str
    key: str
    job: JobFile
    model: Place

    def send(self, connection: Connection) -> RemoteJob:
        """The job, submitted now or before; raises as ``submission.send``."""
        return RemoteJob(connection, send(connection, self.job, self.model, self.key))


class KeptSubmission:
    """The folder of one submission.

    Args:
        url: a local path or a URL of HDFS.
    """

    def __init__(self, url: Url) -> None:
        self._place = locate(url)

    def read(self) -> Kept | None:
        """What is kept; None where nothing is.

        Raises:
            StorageError: it cannot be read, or is something else.
        """
        if not exists(self._place):
            return None
        told = read_json(self._place / _JOB)
        try:
            job = job_file(told["job"])
            return Kept(str(told["server"]), str(told["key"]), job, self._place / _MODEL)
        except (KeyError, ConfigError) as error:
            raise StorageError(f"{self._place / _JOB}: is no submission: {error}") from None

    def keep(self, server: str, key: str, job: JobFile, model: Path) -> Kept:
        """Keeps a submission; where another process was first, its is kept.

        Args:
            server: its URL.
            key: of the submission.
            job: that is to be sent.
            model: a local ``.keras`` file.

        Returns:
            What is kept now.

        Raises:
            StorageError: it cannot be written.
        """
        with publish(self._place) as staging:
            write_bytes(staging / _MODEL, read_bytes(model))
            told = {"server": server, "key": key, "job": job.model_dump(mode="json")}
            write_json(staging / _JOB, told)
        kept = self.read()
        if kept is None:
            raise StorageError(f"{self._place}: was removed while it was written")
        return kept
