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
from distkeras.punchcard.secrets_file import SecretsFile

__all__ = ["BODY_BYTES", "BodyLimit", "Gate"]

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


class Gate:
    """Lets those in who have a secret, in ``Authorization: Bearer``; all else is open to nobody.

    Args:
        app: what is behind; finds the ``Holder`` in ``request.state.holder``.
        secrets: that are good.
        lockout: of those who guess.
    """

    def __init__(self, app: App, secrets: SecretsFile, lockout: Lockout) -> None:
        self._app, self._secrets, self._lockout = app, secrets, lockout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        address = scope["client"][0] if scope.get("client") else ""
        if (wait := self._lockout.locked(address)) > 0:
            answer = refusal(429, "too many wrong secrets", {"Retry-After": str(math.ceil(wait))})
        elif (secret := _bearer(scope)) is None:
            answer = refusal(401, "a secret is needed", {"WWW-Authenticate": "Bearer"})
        elif (holder := self._secrets.holder(secret)) is None:
            log.warning("a wrong secret from %s", address)
            await asyncio.sleep(self._lockout.wrong(address))
            answer = refusal(401, "no such secret", {"WWW-Authenticate": "Bearer"})
        else:
            scope.setdefault("state", {})["holder"] = holder
            await self._app(scope, receive, send)
            return
        await answer(scope, receive, send)


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
        model = scope["method"] == "PUT" and _MODEL.fullmatch(scope["path"])
        most = self._model_bytes if model else BODY_BYTES
        declared = _header(scope, b"content-length")
        if declared.isdigit() and (len(declared) > 18 or int(declared) > most):
            await refusal(413, _too_large(most), _CLOSE)(scope, receive, send)
            return
        await self._app(scope, _counted(receive, most), send)


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
