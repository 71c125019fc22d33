"""A training job, as users of dist-keras know it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from distkeras.errors import ConfigError
from distkeras.job_deployment.connection import Connection, Patience
from distkeras.job_deployment.remote import RemoteJob, check_succeeded
from distkeras.job_deployment.results import history_of, model_of
from distkeras.job_deployment.submission import described, new_key, saved, send, trainer_part
from distkeras.job_deployment.watching import watch
from distkeras.punchcard.job_file import ENDED, JobFile
from distkeras.rules.arguments import positive_int

if TYPE_CHECKING:
    from distkeras.history import History
    from distkeras.trainers import Trainer

__all__ = ["Job"]


class Job:
    """A training on a Punchcard server.

    Args:
        secret: that the server knows you by.
        job_name: for people.
        data_path: Parquet, absolute or ``hdfs://``, as the server's cluster sees it.
        num_executors: executors of Spark.
        num_processes: cores of each; the trainer's ``num_workers`` are those that train.
        trainer: any of the library's, or one of your server's owner's. Its model and arguments are
            sent; callbacks and code of your own cannot be.
        patience: how long to wait for the server, and for how long to try again.

    Raises:
        ConfigError: for an argument that cannot work.
    """

    def __init__(
        self,
        secret: str,
        job_name: str,
        data_path: str,
        num_executors: int,
        num_processes: int,
        trainer: Trainer,
        *,
        patience: Patience | None = None,
    ) -> None:
        self.secret, self.job_name, self.data_path = secret, job_name, data_path
        self.trainer, self.patience = trainer, patience
        self.master: str | None = None
        self.executor_memory_mb = 1024
        self._remote: RemoteJob | None = None
        self._ready: _Ready | None = None
        self.set_num_executors(num_executors)
        self.set_num_processes(num_processes)

    @classmethod
    def attach(
        cls,
        url: str,
        secret: str,
        job_id: str,
        *,
        authority: str | None = None,
        patience: Patience | None = None,
    ) -> Job:
        """A job that was sent from elsewhere.

        Args:
            url: of the server.
            secret: of the same user.
            job_id: as ``job_id`` has it, or ``distkeras jobs list`` prints it.
            authority: see ``send``.
            patience: see ``Job``.

        Raises:
            ConfigError: the server has no such job of this user.
            AuthenticationError, ServiceError: see ``send``.
        """
        if not job_id.isalnum():
            raise ConfigError(f"job_id is {job_id!r}, but must be letters and digits")
        remote = RemoteJob(Connection(url, secret, authority, patience), job_id)
        told = remote.told()
        job = cls.__new__(cls)
        job.secret, job.job_name, job.data_path = secret, told["name"], told["data_path"]
        job._remote, job._ready, job.patience = remote, None, patience
        return job

    @property
    def job_id(self) -> str:
        """The server's name for it; another notebook attaches to it by this."""
        return self._sent().name

    def set_num_executors(self, num_executors: int) -> None:
        """Sets the executors, before it is sent."""
        self._check_not_sent()
        self.num_executors = positive_int("num_executors", num_executors)

    def set_num_processes(self, num_processes: int) -> None:
        """Sets the cores of an executor, before it is sent."""
        self._check_not_sent()
        self.num_processes = positive_int("num_processes", num_processes)

    def set_executor_memory(self, megabytes: int) -> None:
        """Sets the MiB of an executor, 1024 otherwise, before it is sent."""
        self._check_not_sent()
        self.executor_memory_mb = positive_int("executor_memory", megabytes)

    def set_master(self, master: str | None) -> None:
        """Sets which of the server's masters of Spark it is for; None: the first."""
        self._check_not_sent()
        self.master = master

    def send(self, url: str, *, authority: str | None = None) -> str:
        """Sends the job; returns its id.

        Where it raises a ``ServiceError`` it may be called again: unless something of it was set
        meanwhile it is then the same job, also if the server has it already.

        Args:
            url: of the server.
            authority: PEM file of who has signed its certificate; None: whom the system trusts.

        Raises:
            ConfigError: something in it cannot be sent, or the server refuses it; says what.
            AuthenticationError: the server does not know the secret.
            ServiceError: it was not reached for ``patience.deadline`` seconds.
        """
        self._check_not_sent()
        connection = Connection(url, self.secret, authority, self.patience)
        ready = self._prepared()
        name = send(connection, ready.job, ready.model, ready.key)
        self._remote, self._ready = RemoteJob(connection, name), None
        ready.folder.cleanup()
        return name

    def state(self) -> dict[str, Any]:
        """What the server tells: state, progress, times."""
        return self._sent().told()

    def is_finished(self) -> bool:
        """Whether it has ended, in whichever way."""
        return self.state()["state"] in ENDED

    def wait_completion(self, timeout: float | None = None) -> None:
        """Waits, with a progress bar, until it has succeeded.

        Args:
            timeout: seconds; None: as long as it takes, the server being reached.

        Raises:
            JobFailed: it has failed or was cancelled; says why.
            ServiceError: the timeout has passed, or the server was not reached for
                ``patience.deadline`` seconds.
        """
        check_succeeded(dict(watch(self._sent().states(timeout))))

    def cancel(self, timeout: float = 60.0) -> None:
        """Cancels it, and waits until it has ended; what has ended already stays as it is.

        Args:
            timeout: seconds; the server takes ten of them at most.

        Raises:
            ServiceError: it has not ended in that time, or the server was not reached.
        """
        remote = self._sent()
        remote.cancel()
        for _ in remote.states(timeout):
            pass

    def logs(self, follow: bool = False) -> Iterator[str]:
        """What the job says, in pieces of whole lines.

        Args:
            follow: go on until it has ended.
        """
        return self._sent().log(follow)

    def get_trained_model(self) -> Any:
        """The model; of an ``EnsembleTrainer``, the list of them.

        Raises:
            JobFailed: the job has not succeeded.
            ServiceError: the server was not reached.
            StorageError: what it has sent is no model, or has more than Keras' own parts.
        """
        with tempfile.TemporaryDirectory(prefix="distkeras-job-") as folder:
            self.fetch(folder)
            return model_of(Path(folder))

    def get_history(self) -> History:
        """What happened in training, window by window; raises as ``get_trained_model``."""
        with tempfile.TemporaryDirectory(prefix="distkeras-job-") as folder:
            self.fetch(folder)
            return history_of(Path(folder))

    def fetch(self, folder: str | Path) -> list[Path]:
        """Fetches model, history and report into a folder; raises as ``get_trained_model``."""
        return self._sent().fetch(Path(folder))

    def _prepared(self) -> _Ready:
        """What is sent. Keras never writes a model twice to the same bytes: they are kept."""
        values = self._values()
        if self._ready is None or self._ready.values != values:
            folder = tempfile.TemporaryDirectory(prefix="distkeras-job-")
            model = saved(self.trainer, Path(folder.name))
            self._ready = _Ready(values, described(values, model), model, new_key(), folder)
        return self._ready

    def _values(self) -> dict[str, Any]:
        return {
            "name": self.job_name,
            "data_path": self.data_path,
            "num_executors": self.num_executors,
            "num_processes": self.num_processes,
            "executor_memory_mb": self.executor_memory_mb,
            "master": self.master,
            "trainer": trainer_part(self.trainer),
        }

    def _sent(self) -> RemoteJob:
        if self._remote is None:
            raise ConfigError(f"job {self.job_name!r} has not been sent")
        return self._remote

    def _check_not_sent(self) -> None:
        if self._remote is not None:
            name = self._remote.name
            raise ConfigError(f"job {self.job_name!r} was sent, as {name}; make another Job")


class _Ready(NamedTuple):
    """A job that is ready to be sent, once or again."""

    values: dict[str, Any]
    job: JobFile
    model: Path
    key: str
    folder: tempfile.TemporaryDirectory[str]
