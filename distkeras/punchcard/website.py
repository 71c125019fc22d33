"""The page's own routes: its files, the session, and the news; the rest it asks of the API."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from distkeras.logs import logger
from distkeras.punchcard.asked import Held, Served, own_job
from distkeras.punchcard.events import TAIL, Wanted, news
from distkeras.punchcard.gate import address_of, cookie_name, holder_of
from distkeras.punchcard.secrets_file import Holder
from distkeras.punchcard.service import Service
from distkeras.punchcard.streams import Stream

__all__ = ["router"]

log = logger(__name__)
_KINDS = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_FILES = {
    file.name: file.read_bytes()
    for file in files("distkeras.punchcard").joinpath("page").iterdir()
    if file.name.rpartition(".")[2] in _KINDS
}
#: Not part of the API, so not of its document either.
router = APIRouter(include_in_schema=False)


@router.get("/")
def index() -> Response:
    """The page; it finds out for itself whether somebody has signed in."""
    return _file("index.html")


@router.get("/page/{name}")
def file(name: str) -> Response:
    """One of the page's files."""
    return _file(name)


def _file(name: str) -> Response:
    if name not in _FILES:
        raise HTTPException(404, "there is no such file")
    kind = _KINDS[name.rpartition(".")[2]]
    # Another version of the server has other files of the same names.
    return Response(_FILES[name], media_type=kind, headers={"Cache-Control": "no-cache"})


@router.get("/session")
def session(request: Request) -> dict[str, str | None]:
    """Who has signed in with this browser; None: nobody."""
    holder: Holder | None = getattr(request.state, "holder", None)
    return {"identity": None if holder is None else holder.identity}


@router.post("/session")
async def sign_in(service: Served, request: Request) -> Response:
    """Begins a session, by a form that has the secret."""
    try:
        body = await request.body()
    except ClientDisconnect:
        raise HTTPException(400, "the body ended too early") from None
    fields = parse_qs(body.decode("latin-1"), encoding="utf-8")
    secret = fields.get("secret", [""])[0].strip()
    if not secret:
        raise HTTPException(400, "a secret is needed")
    address = address_of(request.scope)
    holder = await holder_of(secret, address, service.secrets, service.lockout)
    _end(service, request)
    log.info("%s signs in from %s", holder.identity, address)
    answer = RedirectResponse("/", 303)
    token = service.sessions.begin(holder)
    answer.set_cookie(
        cookie_name(request.scope),
        token,
        max_age=int(service.sessions.seconds),
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


@router.delete("/session", status_code=204)
def sign_out(service: Served, holder: Held, request: Request) -> Response:
    """Ends the session, here and in the browser."""
    _end(service, request)
    answer = Response(status_code=204)
    secure = request.scope["scheme"] == "https"
    name = cookie_name(request.scope)
    answer.delete_cookie(name, secure=secure, httponly=True, samesite="strict")
    return answer


def _end(service: Service, request: Request) -> None:
    if (token := getattr(request.state, "session", None)) is not None:
        service.sessions.end(token)


@router.get("/session/events")
def events(
    service: Served,
    holder: Held,
    request: Request,
    most: Annotated[int, Query(ge=1, le=1000)] = 50,
    job: Annotated[str | None, Query(max_length=64)] = None,
    last: Annotated[str, Header(alias="Last-Event-ID", max_length=20)] = "",
) -> StreamingResponse:
    """What happens to the user's jobs, and to the one that is looked at, as it happens."""
    if service.streams.full():
        raise HTTPException(503, "too many pages are open", {"Retry-After": "30"})
    if job is not None:
        own_job(service, holder, job)
    offset = int(last) if last.isdecimal() and last.isascii() else -TAIL
    token: str = request.state.session
    return _News(
        service,
        Wanted(holder.identity, most, job, offset),
        lambda: service.sessions.holder(token) == holder,
    )


class _News(StreamingResponse):
    """An answer that counts as one of the user's streams for as long as it is being sent."""

    def __init__(self, service: Service, wanted: Wanted, alive: Callable[[], bool]) -> None:
        self._stream = Stream(wanted.identity)
        self._streams = service.streams
        told = news(service, wanted, self._stream, alive)
        # nginx, for one, would otherwise keep the news until there are 4 KiB of them.
        headers = {"X-Accel-Buffering": "no"}
        super().__init__(told, media_type="text/event-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        with self._streams.opened(self._stream):
            await super().__call__(scope, receive, send)
