"""What stands before the application: who asks, and how much may be sent.

Both are known before a byte of the body is read.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from fastapi import HTTPException

from distkeras.logs import logger
from distkeras.punchcard.answers import refusal
from distkeras.punchcard.lockout import Lockout
from distkeras.punchcard.secrets_file import Holder, SecretsFile
from distkeras.punchcard.sessions import Sessions

__all__ = ["BODY_BYTES", "BodyLimit", "Gate", "address_of", "cookie_name", "holder_of"]

log = logger(__name__)

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Bytes of a request that is no model.
BODY_BYTES = 1 << 20
#: Seconds between two pieces of a body, and bytes a second that it has to have after as many.
PIECE_SECONDS, SLOWEST = 60.0, 1 << 14
#: Otherwise uvicorn reads to its end what nobody wants.
_CLOSE = {"Connection": "close"}
_MODEL = re.compile(r"/api/v1/jobs/[^/]*/model")
#: Bytes with which a session is asked for, by anybody.
SIGN_IN_BYTES = 1 << 12
_BEARER = {"WWW-Authenticate": "Bearer"}
#: What needs no session: to ask whether there is one, and to begin one.
_OPEN = {("GET", "/session"), ("POST", "/session")}
#: What a session may: read, cancel, sign out.
_IN_SESSION = re.compile(
    r"(GET|HEAD) .*|POST /session|DELETE /session|POST /api/v1/jobs/[^/]*/cancel", re.DOTALL
)


class Gate:
    """Decides who comes in, and is the only place that does.

    What begins with ``/api/`` is for who has a secret, in ``Authorization: Bearer``. The page has
    its session's cookie in that header's place, with which jobs may be read and cancelled but not
    submitted; it counts only in requests of our own page. ``/session`` is where a session is
    asked for, begun and ended, and has the page's news. All else is the page, open to everybody.

    Args:
        app: what is behind; finds the ``Holder`` in ``request.state.holder``, and the session, if
            it is by one, in ``request.state.session``.
        secrets: that are good.
        lockout: of those who guess.
        sessions: of those who have signed in to the page.
    """

    def __init__(
        self, app: App, secrets: SecretsFile, lockout: Lockout, sessions: Sessions
    ) -> None:
        self._app, self._secrets, self._lockout = app, secrets, lockout
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        guarded = scope["type"] == "http" and scope["path"].startswith(("/api/", "/session"))
        try:
            known = await self._known(scope) if guarded else {}
        except HTTPException as error:
            answer = refusal(error.status_code, str(error.detail), error.headers)
            await answer(scope, receive, send)
            return
        if scope["type"] == "http":
            scope.setdefault("state", {}).update(known)
        await self._app(scope, receive, send)

    async def _known(self, scope: Scope) -> dict[str, object]:
        """Who asks, for the application."""
        address = address_of(scope)
        refuse_locked(self._lockout, address)
        if scope["path"].startswith("/api/") and _header(scope, b"authorization"):
            secret = _bearer(scope)
            if secret is None:
                raise HTTPException(401, "a secret is needed", _BEARER)
            return {"holder": await holder_of(secret, address, self._secrets, self._lockout)}
        return self._in_session(scope)

    def _in_session(self, scope: Scope) -> dict[str, object]:
        route = scope["method"], scope["path"]
        if route in _OPEN:
            _refuse_other_pages(scope)
        token = _cookie(scope)
        holder = None if token is None else self._sessions.holder(token)
        if holder is not None:
            _refuse_other_pages(scope)
            if not _IN_SESSION.fullmatch(" ".join(route)):
                raise HTTPException(403, "needs the secret itself: a session may not")
            return {"holder": holder, "session": token}
        if route in _OPEN:
            return {}
        raise HTTPException(401, "a secret is needed", _BEARER)


async def holder_of(secret: str, address: str, secrets: SecretsFile, lockout: Lockout) -> Holder:
    """Whose secret this is.

    Args:
        secret: that somebody has sent.
        address: from where.
        secrets: that are good.
        lockout: that learns of a wrong one, and says how long its answer takes.

    Raises:
        HTTPException: 401.
    """
    holder = secrets.holder(secret)
    if holder is None:
        log.warning("a wrong secret from %s", address)
        await asyncio.sleep(lockout.wrong(address))
        raise HTTPException(401, "no such secret", _BEARER)
    return holder


def refuse_locked(lockout: Lockout, address: str) -> None:
    """Refuses an address that has sent too many wrong secrets.

    Raises:
        HTTPException: 429.
    """
    if (wait := lockout.locked(address)) > 0:
        raise HTTPException(429, "too many wrong secrets", {"Retry-After": str(math.ceil(wait))})


def address_of(scope: Scope) -> str:
    """Where a request comes from."""
    return str(scope["client"][0]) if scope.get("client") else ""


def cookie_name(scope: Scope) -> str:
    """Of the session's cookie.

    Browsers send what one port of a machine has set to all others, so each has its own name. With
    TLS the name's beginning has them refuse one that was set without, or by another host.
    """
    return f"{'__Host-' if scope['scheme'] == 'https' else ''}punchcard-{scope['server'][1]}"


def _cookie(scope: Scope) -> str | None:
    wanted = cookie_name(scope).encode()
    for key, value in scope["headers"]:
        for part in value.split(b";") if key == b"cookie" else ():
            name, _, token = part.strip().partition(b"=")
            if name == wanted and token:
                return str(token.decode("latin-1"))
    return None


def _refuse_other_pages(scope: Scope) -> None:
    """Refuses what a page other than ours has a browser ask for.

    SameSite does not do that alone: for it, all ports of a machine are the same site.
    """
    site, origin = _header(scope, b"sec-fetch-site"), _header(scope, b"origin")
    reads = scope["method"] in ("GET", "HEAD")
    if site:
        ours = site == b"same-origin" or (reads and site == b"none")
    elif origin:
        ours = origin.lower().partition(b"://")[2] == _header(scope, b"host").lower()
    else:  # All browsers tell it where they change something.
        ours = reads
    if not ours:
        raise HTTPException(403, "only this server's own page may ask for this")


class BodyLimit:
    """Refuses a body that is too large before it is read, or as soon as it turns out to be.

    Args:
        app: what is behind.
        model_bytes: that a model may have.
    """

    def __init__(self, app: App, model_bytes: int) -> None:
        self._app, self._model_bytes = app, model_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._most(scope["method"], scope["path"])
        declared = _header(scope, b"content-length")
        if declared.isdigit() and (len(declared) > 18 or int(declared) > most):
            await refusal(413, _too_large(most), _CLOSE)(scope, receive, send)
            return
        await self._app(scope, _counted(receive, most), send)

    def _most(self, method: str, path: str) -> int:
        if path == "/session":
            return SIGN_IN_BYTES
        return self._model_bytes if method == "PUT" and _MODEL.fullmatch(path) else BODY_BYTES


def _counted(receive: Receive, most: int) -> Receive:
    seen, waited, complete = 0, 0.0, False

    async def counted() -> MutableMapping[str, Any]:
        nonlocal seen, waited, complete
        if complete:  # What comes now is no more than the news that the client has gone.
            return await receive()
        # What the server takes to write a piece is not the client's time.
        left = PIECE_SECONDS + seen / SLOWEST - waited
        begun = time.monotonic()
        try:
            message = await asyncio.wait_for(receive(), min(left, PIECE_SECONDS))
        except asyncio.TimeoutError:
            slow = f"nothing came for {PIECE_SECONDS:g} s, or less than {SLOWEST} bytes/s"
            raise HTTPException(408, slow, _CLOSE) from None
        waited += time.monotonic() - begun
        seen += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if seen > most:
            raise HTTPException(413, _too_large(most), _CLOSE)
        return message

    return counted


def _too_large(most: int) -> str:
    return f"more than the {most} bytes that may be sent here"


def _bearer(scope: Scope) -> str | None:
    scheme, _, secret = _header(scope, b"authorization").partition(b" ")
    found = secret.strip()
    return found.decode("latin-1") if scheme.lower() == b"bearer" and found else None


def _header(scope: Scope, name: bytes) -> bytes:
    return next((bytes(value) for key, value in scope["headers"] if key == name), b"")
