"""Sessions of the page: who has signed in with a secret, and for how long that holds.

A session is a random number, which the browser has as a cookie; neither the secret nor anything
made from it is in there. Here its SHA-256 is kept, in memory only: the server's end ends all.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from distkeras.punchcard.secrets_file import Holder, SecretsFile

__all__ = ["SECONDS", "Sessions"]

#: That a session lasts, used or not.
SECONDS = 12 * 3600.0
#: Sessions of one secret; with one more the oldest ends.
EACH = 20
#: Bytes of a session's number: 256 bits.
BYTES = 32


class _Session(NamedTuple):
    holder: Holder
    until: float


class Sessions:
    """Who has signed in.

    Args:
        known: the secrets that are good now; a session ends with the one that began it.
        seconds: that a session lasts.
        each: sessions of one secret.
        clock: seconds from any fixed moment.
    """

    def __init__(
        self,
        known: SecretsFile,
        seconds: float = SECONDS,
        each: int = EACH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._known, self.seconds, self._each, self._clock = known, seconds, each, clock
        self._lock = threading.Lock()
        # In the order in which they were begun, so in that in which they end.
        self._sessions: dict[str, _Session] = {}

    def begin(self, holder: Holder) -> str:
        """Begins a session; returns its number, for the cookie."""
        token = secrets.token_urlsafe(BYTES)
        now = self._clock()
        with self._lock:
            for key in [key for key, one in self._sessions.items() if one.until <= now]:
                del self._sessions[key]
            own = [key for key, one in self._sessions.items() if one.holder == holder]
            for key in own[: max(0, len(own) + 1 - self._each)]:
                del self._sessions[key]
            self._sessions[_digest(token)] = _Session(holder, now + self.seconds)
        return token

    def holder(self, token: str) -> Holder | None:
        """Whose session this is; None where it has ended, or its secret is good no more."""
        with self._lock:
            found = self._sessions.get(_digest(token))
        if found is None:
            return None
        if found.until > self._clock() and self._known.knows(found.holder):
            return found.holder
        self.end(token)
        return None

    def end(self, token: str) -> None:
        """Ends a session, if there is one."""
        with self._lock:
            self._sessions.pop(_digest(token), None)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
