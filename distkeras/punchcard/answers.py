"""What a client is told where something is wrong: one line of JSON, and nothing of the inside."""

from __future__ import annotations

import json
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.routing import Match

from distkeras.errors import ConfigError, StorageError
from distkeras.logs import logger
from distkeras.punchcard.job_file import line_of
from distkeras.punchcard.store import DiskFullError

__all__ = ["ERRORS", "Refused", "answer_errors", "refusal"]

log = logger(__name__)

_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class Refused(BaseModel):
    """Why a request was refused."""

    error: str = Field(description="One line.")


#: What every route may answer, for the OpenAPI document.
ERRORS: dict[int | str, dict[str, object]] = {
    status: {"model": Refused, "description": description}
    for status, description in (
        (400, "Malformed"),
        (401, "No secret, or a wrong one"),
        (403, "Not by the page's cookie, or from another page"),
        (404, "No such job of yours"),
        (405, "Not done here; `Allow` says what is"),
        (408, "The body stopped coming"),
        (409, "Cannot be done in this state"),
        (413, "Too large"),
        (422, "A value cannot be"),
        (429, "Too many"),
        (503, "The storage does not answer"),
        (507, "The server's disk is full"),
    )
}


def refusal(status: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
    """One line of JSON, in ASCII, whatever the text."""
    content = json.dumps({"error": " ".join(error.split())[:500]}) + "\n"
    return Response(content, status, dict(headers or {}), "application/json")


def answer_errors(app: FastAPI) -> None:
    """Has every error answered in that form."""

    @app.exception_handler(AnyHTTPException)
    async def stopped(request: Request, error: AnyHTTPException) -> Response:
        # Starlette names the methods of one of the path's routes only.
        more = {"Allow": ", ".join(_methods(request))} if error.status_code == 405 else {}
        return refusal(error.status_code, str(error.detail), {**(error.headers or {}), **more})

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        return refusal(422, line_of(error.errors()[0]))

    @app.exception_handler(ConfigError)
    async def refused(request: Request, error: ConfigError) -> Response:
        return refusal(422, str(error))

    @app.exception_handler(DiskFullError)
    async def full(request: Request, error: DiskFullError) -> Response:
        log.error("%s %s: %s", request.method, request.url.path, error)
        # Otherwise uvicorn reads to its end what there is no room for.
        return refusal(507, "the server's disk is full", {"Connection": "close"})

    @app.exception_handler(StorageError)
    async def unreachable(request: Request, error: StorageError) -> Response:
        log.error("%s %s: %s", request.method, request.url.path, error)
        return refusal(503, "the server's storage does not answer")

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        # Starlette raises it again after this, and uvicorn logs it.
        return refusal(500, "the server has failed; its log tells how")


def _methods(request: Request) -> list[str]:
    """What can be done at a request's path."""
    asked = [{**request.scope, "method": method} for method in _METHODS]
    routes = request.app.router.routes
    return [
        scope["method"]
        for scope in asked
        if any(route.matches(scope)[0] is Match.FULL for route in routes)
    ]
