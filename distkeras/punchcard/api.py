"""The routes: what a client can ask of the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import (
    APIRouter,
    Body,
    FastAPI,
    Header,
    HTTPException,
    Path,
    Query,
    Request,
    Security,
)
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from distkeras.errors import ConfigError
from distkeras.punchcard.answers import ERRORS, answer_errors
from distkeras.punchcard.asked import Held, Own, Served
from distkeras.punchcard.gate import App, BodyLimit, Gate
from distkeras.punchcard.headers import SafeHeaders
from distkeras.punchcard.job_file import ENDED, JobFile
from distkeras.punchcard.jobs import Job, Submission
from distkeras.punchcard.limits import check_job
from distkeras.punchcard.outputs import RESULT, log_of, progress_of, results_of, stream_of
from distkeras.punchcard.service import Service
from distkeras.punchcard.store import ConflictError, DiskFullError, Share, TooManyError
from distkeras.punchcard.told import Allowed, Listed, Piece, Sizes, Told
from distkeras.punchcard.uploads import check_room, receive_model
from distkeras.punchcard.website import router as website

__all__ = ["create_app"]

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern="^[A-Za-z0-9_-]{8,100}$",
        description="Of the submission: sent again, it is the same job.",
    ),
]
#: Numbers of jobs that SQLite can compare.
_LAST = 2**62


def create_app(service: Service) -> App:
    """The application, behind its gate."""
    # No pages of documentation: theirs load scripts from elsewhere.
    app = FastAPI(title="Punchcard", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.service = service
    app.include_router(_router)
    app.include_router(website)
    answer_errors(app)
    limited = BodyLimit(app, service.limits.model_bytes)
    return SafeHeaders(Gate(limited, service.secrets, service.lockout, service.sessions))


#: For the document; who comes here has passed the gate.
_SECRET = HTTPBearer(auto_error=False, description="The user's secret.")
_router = APIRouter(prefix="/api/v1", responses=ERRORS, dependencies=[Security(_SECRET)])


@_router.get("/limits")
def limits(service: Served, holder: Held) -> Allowed:
    """What a job may ask for."""
    allowed = service.limits
    return Allowed(
        masters=list(allowed.masters),
        executors=allowed.executors,
        processes=allowed.processes,
        memory_mb=allowed.memory_mb,
        model_bytes=allowed.model_bytes,
        trainers=sorted(allowed.trainers),
    )


_THERE: Mapping[int | str, dict[str, Any]] = {
    200: {"model": Told, "description": "It was there already"}
}


@_router.post("/jobs", status_code=201, response_model=Told, responses=dict(_THERE))
def submit(
    service: Served, holder: Held, key: Key, job: Annotated[JobFile, Body()]
) -> JSONResponse:
    """Submits a job, whose model is then to be uploaded; 200 if it was there already."""
    wanted = Submission(holder.identity, holder.secret, key, job)
    try:
        found, added = _submitted(service, wanted)
    except ConflictError as error:
        raise HTTPException(409, str(error)) from None
    except TooManyError as error:
        raise HTTPException(429, str(error), {"Retry-After": "60"}) from None
    return JSONResponse(found.told(), 201 if added else 200)


def _submitted(service: Service, wanted: Submission) -> tuple[Job, bool]:
    """The job, and whether it is new; what was there already has been allowed before.

    It is told of, also when its data has gone by now, or the disk is full.
    """
    if (known := service.store.known(wanted)) is not None:
        return known, False
    limits = service.limits
    check_job(wanted.file, limits)
    found, added = service.store.submit(wanted, Share(limits.waiting, limits.waiting_bytes))
    if added:
        _check_room(service, found)
    return found, added


def _check_room(service: Service, job: Job) -> None:
    try:
        check_room(service.processes.root, job.bytes, service.limits.free_bytes)
    except DiskFullError:
        service.store.remove(job.id)
        raise


_BINARY: Mapping[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@_router.put("/jobs/{name}/model", openapi_extra=dict(_BINARY))
async def upload(service: Served, job: Own, request: Request) -> Told:
    """Uploads a job's model, after which it waits for its turn; a second time changes nothing."""
    if job.state != "submitted":
        async for _ in request.stream():
            pass  # A client that hears nothing before it has sent all would take us for dead.
        return Told(**job.told())
    folder, most = service.processes.folder(job.id), service.limits.model_bytes
    file = await run_in_threadpool(service.store.file, job.id)
    if file is None:
        raise HTTPException(404, "there is no such job")
    check_room(service.processes.root, job.bytes, service.limits.free_bytes)
    try:
        await receive_model(request.stream(), folder, file.model, most)
    except ClientDisconnect:
        raise HTTPException(400, "the body ended too early") from None
    except (ConfigError, HTTPException) as error:
        if not isinstance(error, HTTPException) or error.status_code == 413:
            await run_in_threadpool(_forget, service, job)
        raise
    return Told(**await run_in_threadpool(_queued, service, job))


def _queued(service: Service, job: Job) -> dict[str, Any]:
    """The job, which has its model now, and waits unless it was cancelled meanwhile."""
    if service.store.queue(job.id):
        service.dispatcher.wake()
    now = service.store.job(job.id)
    if now is None:
        service.processes.remove(job.id)
        raise HTTPException(404, "there is no such job")
    if now.state in ENDED:
        service.processes.clear(job.id)
    return now.told()


def _forget(service: Service, job: Job) -> None:
    if service.store.remove(job.id):
        service.processes.remove(job.id)


@_router.get("/jobs")
def jobs(
    service: Served,
    holder: Held,
    before: Annotated[int, Query(ge=1, le=_LAST)] = _LAST,
    most: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Listed:
    """The user's jobs, the latest first."""
    found = service.store.of(holder.identity, before, most)
    following = found[-1].number if len(found) == most else None
    return Listed(jobs=[Told(**job.told()) for job in found], next=following)


@_router.get("/jobs/{name}")
def show(service: Served, job: Own) -> Told:
    """A job, and how far it is."""
    return Told(**job.told(), progress=progress_of(service.processes.folder(job.id)))


@_router.post("/jobs/{name}/cancel", status_code=202)
def cancel(service: Served, job: Own) -> Told:
    """Cancels a job; one that has ended stays as it is."""
    if service.store.cancel(job.id):
        service.dispatcher.wake()
    now = service.store.job(job.id) or job
    if now.state in ENDED:
        service.processes.clear(job.id)
    return Told(**now.told())


@_router.get("/jobs/{name}/log")
def log(service: Served, job: Own, offset: Annotated[int, Query(ge=-_LAST, le=_LAST)] = 0) -> Piece:
    """What a job has said, from a byte on; below 0 from its end."""
    return Piece(**log_of(service.processes.folder(job.id), offset)._asdict())


@_router.get("/jobs/{name}/results")
def results(service: Served, job: Own) -> Sizes:
    """The names of a job's results, and their sizes in bytes."""
    return Sizes(results_of(service.artifacts, job.id))


_CONTENT: Mapping[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "Its content"}
}


@_router.get(
    "/jobs/{name}/results/{result}", response_class=StreamingResponse, responses=dict(_CONTENT)
)
def fetch(
    service: Served, job: Own, result: Annotated[str, Path(max_length=64)]
) -> StreamingResponse:
    """One of a job's results."""
    known = results_of(service.artifacts, job.id) if RESULT.fullmatch(result) else {}
    if result not in known:
        raise HTTPException(404, "there is no such result")
    return StreamingResponse(
        stream_of(service.artifacts, job.id, result),
        media_type="application/octet-stream",
        headers={
            "Content-Length": str(known[result]),
            "Content-Disposition": f'attachment; filename="{job.id}-{result}"',
        },
    )
