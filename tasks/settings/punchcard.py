"""Luigi's ``[punchcard]`` section: who we are to a Punchcard server, and whom we trust."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from distkeras.errors import ConfigError

__all__ = ["PunchcardSettings", "punchcard_settings"]


class PunchcardSettings(NamedTuple):
    """What the section says.

    Attributes:
        secret_file: that holds the user's secret; None: the environment does.
        authority: PEM file of who signs the server's certificate; None: whom the system trusts.
    """

    secret_file: str | None = None
    authority: str | None = None


def punchcard_settings(section: Mapping[str, str]) -> PunchcardSettings:
    """Translates the section.

    Args:
        section: keys, with dashes or underscores, and values of ``[punchcard]``.

    Raises:
        ConfigError: an unknown key; a secret, which belongs into a file of its own.
    """
    given = {key.replace("-", "_"): value.strip() for key, value in section.items()}
    for key in given:
        _check(key)
    try:
        paths = {key: str(Path(value).expanduser()) for key, value in given.items() if value}
    except RuntimeError as error:
        raise ConfigError(f"[punchcard]: {error}") from None
    return PunchcardSettings(**paths)


def _check(key: str) -> None:
    known = PunchcardSettings._fields
    if key in known:
        return
    if key == "secret":
        raise ConfigError("[punchcard] secret: others read this file: write secret_file = FILE")
    close = difflib.get_close_matches(key, known, 1)
    hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
    raise ConfigError(f"[punchcard] {key}: unknown key{hint}")
