"""What every route asks first: which server this is, who asks, and whether the job is theirs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, Path, Request

from distkeras.punchcard.jobs import Job
from distkeras.punchcard.secrets_file import Holder
from distkeras.punchcard.service import Service

__all__ = ["Held", "Own", "Served", "own_job"]

Name = Annotated[str, Path(max_length=64, description="The job's id.")]


def _service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


def _holder(request: Request) -> Holder:
    # What is not here has passed no gate.
    found = getattr(request.state, "holder", None)
    if not isinstance(found, Holder):
        raise HTTPException(401, "a secret is needed")
    return found


Served = Annotated[Service, Depends(_service)]
Held = Annotated[Holder, Depends(_holder)]


def own_job(service: Served, holder: Held, name: Name) -> Job:
    """The user's job of this id; another user's is as one that is not there.

    Raises:
        HTTPException: 404.
    """
    job = service.store.job(name)
    if job is None or job.identity != holder.identity:
        raise HTTPException(404, "there is no such job")
    return job


Own = Annotated[Job, Depends(own_job)]
