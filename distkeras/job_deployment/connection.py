"""Requests to a Punchcard server that survive a network that does not."""

from __future__ import annotations

import os
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
from pydantic import BaseModel, ValidationError

from distkeras.errors import AuthenticationError, ConfigError, ServiceError
from distkeras.logs import logger
from distkeras.punchcard.urls import is_server_url

__all__ = ["Connection", "Patience"]

log = logger(__name__)

#: Answers after which the same request may well succeed.
_AGAIN = {408, 429, 502, 503, 504}
#: Of this machine: what is sent there crosses no network.
HERE = ("127.0.0.1", "::1", "localhost")
#: Seconds between two attempts: at first, and at most.
_FIRST, _MOST = 0.2, 5.0
#: Seconds of them in which nothing is said.
_SILENT = 3.0


@dataclass(frozen=True)
class Patience:
    """How long a client waits; in seconds.

    Attributes:
        connect: for a connection.
        answer: for the next piece of an answer, or until the next piece of a request is taken.
        deadline: for which attempts at one request go on.
    """

    connect: float = 10.0
    answer: float = 30.0
    deadline: float = 120.0


class Connection:
    """A server, and the secret that it knows its user by.

    Every request may be sent again: the server does twice what is asked twice only once.

    Args:
        url: ``https://host:port``.
        secret: travels in the ``Authorization`` header, and nowhere else.
        authority: PEM file of who has signed the server's certificate; None: whom the system
            trusts.
        patience: how long to wait.

    Raises:
        ConfigError: the URL, the secret or the file cannot be used.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        authority: str | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.url = _checked(url)
        self.patience = patience or Patience()
        if not secret or not secret.isascii() or not secret.isprintable():
            raise ConfigError("secret: must be printable ASCII, and not empty")
        if self.url.startswith("http:") and httpx.URL(self.url).host not in HERE:
            log.warning("%s: the secret travels unencrypted: use https", self.url)
        wait = self.patience
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {secret}"},
            timeout=httpx.Timeout(wait.answer, connect=wait.connect),
            # Reading what the system trusts takes longer than many a request.
            verify=_trust(authority) if self.url.startswith("https:") else False,
        )

    def ask(
        self,
        method: str,
        path: str,
        answer: type[BaseModel],
        *,
        body: Any = None,
        content: Callable[[], Iterator[bytes]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Sends a request, again until it is answered; returns what it answers.

        Args:
            method: of HTTP.
            path: below ``/api/v1/``.
            answer: what it must be; what else is in it is left out.
            body: sent as JSON.
            content: gives the body, from its start, in place of JSON.
            headers: further ones.

        Raises:
            ConfigError: the server refuses what was asked; it says why.
            AuthenticationError: it does not know the secret.
            ServiceError: there was no answer before the deadline, or it was another.
        """

        def attempt() -> Any:
            given = None if content is None else content()
            url = f"{self.url}/api/v1/{path}"
            response = self._client.request(
                method, url, headers=dict(headers or {}), content=given, json=body
            )
            _check(response)
            return _read(response, answer)

        return self._insist(f"{method} {self.url}/api/v1/{path}", attempt)

    def download(self, path: str, target: Path, size: int) -> None:
        """Fetches a file, whole or not at all; begins anew where a connection breaks.

        Args:
            path: below ``/api/v1/``.
            target: where to; one that is there is replaced.
            size: bytes that it must have.

        Raises:
            ConfigError, AuthenticationError, ServiceError: as ``ask``.
        """
        url = f"{self.url}/api/v1/{path}"
        part = target.with_name(f".{target.name}.part")

        def attempt() -> None:
            with self._client.stream("GET", url) as response:
                if response.status_code != 200:
                    response.read()
                _check(response)
                with part.open("wb") as stream:
                    _copy(response, stream, size)
            os.replace(part, target)

        try:
            self._insist(f"GET {url}", attempt)
        finally:
            part.unlink(missing_ok=True)

    def close(self) -> None:
        """Closes what is open."""
        self._client.close()

    def _insist(self, what: str, attempt: Callable[[], Any]) -> Any:
        begun, attempts, pause, told = time.monotonic(), 0, _FIRST, False
        while True:
            attempts += 1
            try:
                return attempt()
            except (httpx.TransportError, httpx.DecodingError) as error:
                _check_trusted(what, error)
                reason = " ".join(str(error).split()) or type(error).__name__
                wait = pause
            except _NotNow as error:
                reason, wait = str(error), max(pause, error.seconds)
            passed = time.monotonic() - begun
            if passed + wait > self.patience.deadline:
                tried = f"{attempts} attempts in {passed:.1f} s"
                raise ServiceError(f"{what}: {reason}; {tried}")
            if passed >= _SILENT and not told:
                told = True
                log.warning(
                    "%s: %s; tried again, for %g s at most", what, reason, self.patience.deadline
                )
            # Clients that a server has failed together do not come back together.
            time.sleep(wait * random.uniform(0.75, 1.25))
            pause = min(2 * pause, _MOST)


class _NotNow(Exception):  # noqa: N818
    """The server says to come again."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


def _checked(url: str) -> str:
    try:
        usable = is_server_url(url) and bool(httpx.URL(url))
    except (httpx.InvalidURL, AttributeError, TypeError):
        usable = False
    if not usable:
        raise ConfigError(f"url is {url!r}, but must be like https://host:8000")
    return url.rstrip("/")


def _trust(authority: str | None) -> Any:
    if authority is None:
        return True
    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"authority: {authority}: {error.strerror or error}") from None


def _check_trusted(what: str, error: Exception) -> None:
    """A certificate that is not trusted now will not be in a minute."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        reason = " ".join(str(error).split())
        raise ServiceError(f"{what}: {reason}; authority= names who signs it") from None


def _check(response: httpx.Response) -> None:
    status = response.status_code
    if status < 300:
        return
    reason = _reason(response)
    if status in (401, 403):
        raise AuthenticationError(f"{response.url}: {reason}")
    if status in _AGAIN:
        raise _NotNow(reason, _seconds(response))
    if 400 <= status < 500:
        raise ConfigError(f"{response.url}: {reason}")
    raise ServiceError(f"{response.url}: {reason}")


def _copy(response: httpx.Response, stream: IO[bytes], size: int) -> None:
    """Writes the content, which has so many bytes, or breaks off."""
    seen = 0
    for piece in response.iter_raw():
        seen += len(piece)
        if seen > size:
            break
        stream.write(piece)
    if seen != size:
        came = "more" if seen > size else f"{seen}"
        raise httpx.ReadError(f"{came} bytes came of {size}")


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, LookupError, TypeError):
        return f"HTTP {response.status_code}"


def _seconds(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "0")
    return float(text) if text.isdecimal() else 0.0


def _read(response: httpx.Response, answer: type[BaseModel]) -> Any:
    try:
        return answer.model_validate(response.json()).model_dump()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the answer"
        reason = f"{where}: {first['msg']}"
    except (ValueError, TypeError, RecursionError):
        reason = "no JSON"
    raise ServiceError(f"{response.url}: this is no Punchcard server: {reason}")
