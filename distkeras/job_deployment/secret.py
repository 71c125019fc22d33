"""Where a client that is started by a command has its user's secret from."""

from __future__ import annotations

import os
from pathlib import Path

from distkeras.errors import ConfigError

__all__ = ["SECRET", "given_secret"]

#: The environment variable in place of a file.
SECRET = "DISTKERAS_SECRET"


def given_secret(file: str | None, option: str) -> str:
    """The secret in a file, or else in the environment.

    Args:
        file: that holds it, and nothing else; None: none was named.
        option: by which it is named, for what is said.

    Raises:
        ConfigError: the file cannot be read, or there is no secret.
    """
    if file is None:
        found = os.environ.get(SECRET, "").strip()
    else:
        try:
            found = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "is no text"
            raise ConfigError(f"{option} {file}: {reason}") from None
    if not found:
        raise ConfigError(f"no secret: give {option}, or set {SECRET}")
    return found
