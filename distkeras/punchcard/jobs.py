"""A job as the server knows it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from distkeras.punchcard.job_file import ENDED, JobFile

__all__ = ["Job"]


class Job(NamedTuple):
    """One row of the table of jobs; in the order of its columns.

    Attributes:
        number: in the order of submission.
        id: by which users name it; says nothing.
        identity: the user whose it is.
        secret: the SHA-256 of the secret that submitted it.
        key: the submission's idempotency key.
        state: one of ``job_file.STATES``.
        description: the ``JobFile``, as JSON.
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
    description: str
    attempt: int
    cancelling: int
    error: str | None
    submitted: float
    started: float | None
    ended: float | None

    @property
    def file(self) -> JobFile:
        """What was submitted."""
        return JobFile.model_validate_json(self.description)

    def told(self) -> dict[str, Any]:
        """What its user is told of it; nothing of its secret."""
        given = json.loads(self.description)
        return {
            "id": self.id,
            "name": given["name"],
            "trainer": given["trainer"]["name"],
            "data_path": given["data_path"],
            "state": self.state,
            "cancelling": bool(self.cancelling) and self.state not in ENDED,
            "attempt": self.attempt,
            "error": self.error,
            "submitted": self.submitted,
            "started": self.started,
            "ended": self.ended,
        }
