"""Who may submit jobs: the secrets file, read again when it has changed."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from distkeras.errors import ConfigError
from distkeras.logs import logger
from distkeras.punchcard.job_file import complaint

__all__ = ["Holder", "SecretsFile", "new_secret"]

log = logger(__name__)

#: Bytes of a new secret: 256 bits.
BYTES = 32


class Holder(NamedTuple):
    """Whom a secret belongs to.

    Attributes:
        identity: the user.
        secret: which of the user's secrets: its SHA-256, hexadecimal.
    """

    identity: str
    secret: str


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    identity: str = Field(min_length=1, max_length=200)
    secret: str | None = Field(None, min_length=1)
    secret_sha256: str | None = Field(None, pattern="^[0-9a-fA-F]{64}$")

    @model_validator(mode="after")
    def _one_of_both(self) -> _Entry:
        if (self.secret is None) == (self.secret_sha256 is None):
            raise ValueError("give exactly one of secret and secret_sha256")
        return self

    def holder(self) -> Holder:
        digest = self.secret_sha256 or _digest(self.secret or "")
        return Holder(self.identity, digest.lower())


_ENTRIES = TypeAdapter(list[_Entry])


class SecretsFile:
    """The secrets that are good now.

    A new version of the file that cannot be read changes nothing: it is told of in the log, once,
    and the secrets before it stay good.

    Args:
        path: a JSON list of ``{"secret": ..., "identity": ...}``, or with ``secret_sha256``, its
            SHA-256 in hexadecimal, in place of the secret. An identity may have several.

    Raises:
        ConfigError: it is missing or malformed, or others than its owner may read it and
            it cannot be told.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._version = self._stat()
        self._holders = _read(path)
        self._warn_if_open()

    def holder(self, secret: str) -> Holder | None:
        """Whose secret this is; None if nobody's.

        Every known secret is compared, each in constant time, so that how long it takes says
        nothing of where or whether one was found.
        """
        self._refresh()
        digest = _digest(secret)
        found = None
        for holder in self._holders:
            if hmac.compare_digest(holder.secret, digest):
                found = holder
        return found

    def knows(self, holder: Holder) -> bool:
        """Whether this secret of this user is still good."""
        self._refresh()
        return holder in self._holders

    def _refresh(self) -> None:
        with self._lock:
            try:
                version = self._stat()
                if version == self._version:
                    return
                self._version = version
                self._holders = _read(self._path)
            except ConfigError as error:
                if self._version is not None:
                    log.error("%s: the secrets that were read before stay good", error)
                    self._version = _stat_or_none(self._path)
                return
            log.info("%s: read again: %d secrets", self._path, len(self._holders))
        self._warn_if_open()

    def _stat(self) -> tuple[int, int, int] | None:
        found = _stat_or_none(self._path)
        if found is None:
            raise ConfigError(f"{self._path}: cannot be read: there is no such file")
        return found

    def _warn_if_open(self) -> None:
        if self._path.stat().st_mode & 0o077:
            log.warning("%s: others than its owner may read it: chmod 600 it", self._path)


def new_secret(identity: str, hashed: bool) -> tuple[dict[str, str], str]:
    """A new entry of the file.

    Args:
        identity: the user.
        hashed: whether the entry has the secret's SHA-256 in its place.

    Returns:
        The entry, and the secret for the user: 256 bits from the operating system, as 43
        characters that need no quoting anywhere.
    """
    secret = secrets.token_urlsafe(BYTES)
    name, value = ("secret_sha256", _digest(secret)) if hashed else ("secret", secret)
    return {name: value, "identity": identity}, secret


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _stat_or_none(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> tuple[Holder, ...]:
    holders = tuple(entry.holder() for entry in _entries(path))
    identities: dict[str, str] = {}
    for holder in holders:
        if identities.setdefault(holder.secret, holder.identity) != holder.identity:
            both = f"{identities[holder.secret]!r} and {holder.identity!r}"
            raise ConfigError(f"{path}: {both} have the same secret")
    return holders


def _entries(path: Path) -> list[_Entry]:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        return _ENTRIES.validate_python(found)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise ConfigError(f"{path}: {complaint(error)}") from None
    except (ValueError, RecursionError):
        # Without the parser's words, which may quote a secret.
        raise ConfigError(f"{path}: is no JSON list") from None
