"""What every answer tells a browser: to run and load nothing but our own, and to keep nothing."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from distkeras.punchcard.gate import App, Receive, Scope, Send

__all__ = ["POLICY", "SafeHeaders"]

#: Nothing from elsewhere, and nothing that stands in the page itself.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    # Other ports of this machine are the same site, for a browser.
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cache-control": b"no-store",
}


class SafeHeaders:
    """Adds these headers to every answer that does not have its own.

    Args:
        app: what is behind.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""

        async def safely(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {bytes(name).lower() for name, _ in given}
                more = [pair for pair in _HEADERS.items() if pair[0] not in names]
                message["headers"] = given + more
            await send(message)

        await self._app(scope, receive, safely)
