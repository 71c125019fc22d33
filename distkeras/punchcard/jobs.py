"""A job as the server knows it."""

from __future__ import annotations

from typing import Any, NamedTuple

from distkeras.punchcard.job_file import ENDED, JobFile

__all__ = ["Job", "Submission"]


class Submission(NamedTuple):
    """What becomes a job.

    Attributes:
        identity: the user whose it is.
        secret: the SHA-256 of the secret that submits it.
        key: the submission's idempotency key.
        file: what is to be done.
    """

    identity: str
    secret: str
    key: str
    file: JobFile


class Job(NamedTuple):
    """One row of the table of jobs, without the ``JobFile``, which may have a mebibyte.

    Attributes:
        number: in the order of submission.
        id: by which users name it; says nothing.
        identity: the user whose it is.
        secret: the SHA-256 of the secret that submitted it.
        key: the submission's idempotency key.
        state: one of ``job_file.STATES``.
        name: for people.
        trainer: its name.
        data_path: of what is trained on.
        bytes: of its model's file.
        attempt: how often it was begun.
        cancelling: 1 where it is to be cancelled.
        error: one line, where it has failed.
        submitted: seconds since 1970.
        started: likewise, of the first attempt.
        ended: likewise.
    """

    number: int
    id: str
    identity: str
    secret: str
    key: str
    state: str
    name: str
    trainer: str
    data_path: str
    bytes: int
    attempt: int
    cancelling: int
    error: str | None
    submitted: float
    started: float | None
    ended: float | None

    def told(self) -> dict[str, Any]:
        """What its user is told of it; nothing of its secret."""
        return {
            "id": self.id,
            "name": self.name,
            "trainer": self.trainer,
            "data_path": self.data_path,
            "state": self.state,
            "cancelling": bool(self.cancelling) and self.state not in ENDED,
            "attempt": self.attempt,
            "error": self.error,
            "submitted": self.submitted,
            "started": self.started,
            "ended": self.ended,
        }
