"""``[train] submit``: the training is a job on a Punchcard server, and its results come back.

The submission is kept beside the place of the result, as ``.NAME.job``, until that is there. So
the next run finds the same job again, however this one has ended.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from distkeras.errors import ConfigError, JobFailed, ServiceError
from distkeras.lean_keras import import_keras
from distkeras.logs import logger
from distkeras.storage import Place, RemotePath, files_of
from tasks.progress import Reporter
from tasks.settings.sections import punchcard_section
from tasks.tables import SubmitSpec

if TYPE_CHECKING:
    from distkeras.history import History
    from distkeras.job_deployment.connection import Connection
    from distkeras.job_deployment.kept import Kept, KeptSubmission
    from distkeras.job_deployment.remote import RemoteJob
    from distkeras.trainers import Trainer

__all__ = ["Submission", "Trained", "forget_job"]

# Of the library's, so that luigi's log has it.
log = logger(f"distkeras.{__name__}")


class Trained(NamedTuple):
    """What a training gives, wherever it was.

    Attributes:
        model: a ``keras.Model``.
        history: of its windows.
        report: the trainer's.
    """

    model: Any
    history: History
    report: dict[str, Any]


class Submission:
    """The job of one Train task.

    Args:
        spec: ``[train.submit]``.
        place: where the task's result will be.
        report: takes the progress.
    """

    def __init__(self, spec: SubmitSpec, place: Place, report: Reporter) -> None:
        self._spec, self._place, self._report = spec, place, report
        self._key = ""

    def train(self, make_trainer: Callable[[], Trainer], data: Place) -> Trained:
        """Waits for the job, which is found again or submitted, and fetches what it has learned.

        Args:
            make_trainer: makes the trainer with its model; called only where there is no job yet.
            data: the training split.

        Raises:
            ConfigError: there is no secret, or the server refuses the job.
            AuthenticationError: it does not know the secret.
            ServiceError: it was not reached, or the timeout has passed; the job goes on.
            JobFailed: the job has failed or was cancelled; the next run submits another one.
        """
        with self._connection() as connection:
            self._report.phase("submitting the job")
            self._report.tracking(f"{self._spec.url}/")
            job = self._found(connection) or self._submitted(connection, make_trainer, data)
            log.info("job %s at %s", job.name, self._spec.url)
            with self._left_to_itself(job):
                self._wait(job)
                return _fetched(job)

    def _kept(self) -> KeptSubmission:
        from distkeras.job_deployment.kept import KeptSubmission

        return KeptSubmission(_beside(self._place))

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        from distkeras.job_deployment.connection import Connection, Patience
        from distkeras.job_deployment.secret import given_secret

        settings = punchcard_section()
        secret = given_secret(settings.secret_file, "[punchcard] secret_file")
        patience = Patience(deadline=self._spec.patience)
        connection = Connection(self._spec.url, secret, settings.authority, patience)
        try:
            yield connection
        finally:
            connection.close()

    def _found(self, connection: Connection) -> RemoteJob | None:
        """The job of a run before this one, unless nothing can come of it any more."""
        kept = self._kept().read()
        if kept is None:
            return None
        if kept.server != self._spec.url:
            log.warning("the job that was sent to %s is left to itself there", kept.server)
        else:
            job = self._send(connection, kept)
            told = job.told()
            if told["state"] not in ("failed", "cancelled"):
                if told["state"] != "succeeded" or job.results():
                    return job
                told["error"] = "its results are gone"
            reason = f": {told['error']}" if told["error"] else ""
            log.warning("job %s, %s%s: submitted anew", job.name, told["state"], reason)
        self._forget(kept.key)
        return None

    def _submitted(
        self, connection: Connection, make_trainer: Callable[[], Trainer], data: Place
    ) -> RemoteJob:
        from distkeras.job_deployment.submission import described, new_key, saved
        from distkeras.punchcard.told import Allowed

        # A wrong secret, or no server, is told of before Keras is imported.
        connection.ask("GET", "limits", Allowed)
        trainer = make_trainer()
        self._report.phase("submitting the job")
        with tempfile.TemporaryDirectory(prefix="distkeras-job-") as folder:
            try:
                model = saved(trainer, Path(folder))
                job = described(self._values(trainer, data), model)
            except ConfigError as error:
                raise ConfigError(f"train.submit: a job cannot carry this: {error}") from error
            key = f"{self._place.name}-{new_key()}"
            kept = self._kept().keep(self._spec.url, key, job, model)
        return self._send(connection, kept)

    def _send(self, connection: Connection, kept: Kept) -> RemoteJob:
        self._key = kept.key
        try:
            return kept.send(connection)
        except ConfigError as error:
            # What was refused is not sent again as it is.
            self._forget(kept.key)
            if "data_path: " not in str(error):
                raise
            raise ConfigError(
                f"{error}: the server reads {kept.job.data_path} by itself, so `output` must be "
                "in a folder that its --data-root names, on a disk that it sees or on HDFS"
            ) from error

    def _values(self, trainer: Trainer, data: Place) -> dict[str, Any]:
        from distkeras.job_deployment.submission import trainer_part

        spec = self._spec
        return {
            "name": f"Train-{self._place.name}",
            "data_path": str(data) if isinstance(data, RemotePath) else os.path.abspath(data),
            "num_executors": spec.num_executors,
            "num_processes": spec.cores(trainer.num_workers),
            "executor_memory_mb": spec.executor_memory_mb,
            "master": spec.master,
            "trainer": trainer_part(trainer),
        }

    @contextmanager
    def _left_to_itself(self, job: RemoteJob) -> Iterator[None]:
        """Says, where nobody waits any more, that the job goes on; forgets one that has failed."""
        try:
            yield
        except KeyboardInterrupt:
            log.warning("job %s goes on: the next run waits for it", job.name)
            raise
        except ServiceError as error:
            raise ServiceError(f"{error}: the next run looks for job {job.name} again") from error
        except JobFailed as error:
            self._forget(self._key)
            said = f"distkeras jobs logs {job.name} --url {self._spec.url}"
            raise JobFailed(f"{error}; its log: {said}") from error

    def _forget(self, key: str) -> None:
        """Forgets a submission, unless another run has put its own in its place meanwhile."""
        now = self._kept().read()
        if now is not None and now.key == key:
            forget_job(self._place)

    def _wait(self, job: RemoteJob) -> None:
        from distkeras.job_deployment.remote import check_succeeded
        from distkeras.job_deployment.watching import progress_in

        phase = ""
        for told in job.states(self._spec.timeout):
            waits = told["state"] in ("submitted", "queued")
            now = "waiting for the job's turn" if waits else "training"
            if now != phase:
                self._report.phase(now)
                phase = now
            if (progress := progress_in(told)) is not None:
                self._report.training(progress)
        check_succeeded(told)


def forget_job(place: Place) -> None:
    """Removes what is kept of a job: the result is there, or never will be.

    Args:
        place: of the task's result.
    """
    beside = _beside(place)
    files_of(beside).discard(str(beside))


def _beside(place: Place) -> Place:
    return place.with_name(f".{place.name}.job")


def _fetched(job: RemoteJob) -> Trained:
    from distkeras.job_deployment.results import history_of, model_of, report_of

    with tempfile.TemporaryDirectory(prefix="distkeras-job-") as folder:
        place = Path(folder)
        job.fetch(place)
        import_keras(quietly=True)
        return Trained(model_of(place), history_of(place), report_of(place))
