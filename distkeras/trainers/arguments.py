"""Trainers by their names, and what each of them takes."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping

from distkeras.errors import ConfigError
from distkeras.trainers.base import Trainer

__all__ = ["parameters", "trainer_named"]


def parameters(trainer: type) -> set[str]:
    """The names that a constructor takes, where it passes others on to the class above."""
    names: set[str] = set()
    for level in trainer.__mro__:
        if "__init__" in vars(level):
            taken = inspect.signature(level.__init__).parameters  # type: ignore[misc]
            names |= set(taken)
            if all(p.kind is not p.VAR_KEYWORD for p in taken.values()):
                break
    return names


def trainer_named(name: str, known: Mapping[str, type[Trainer]]) -> type[Trainer]:
    """The trainer of this name.

    Raises:
        ConfigError: there is none; it names the nearest.
    """
    if name not in known:
        near = {one.lower(): one for one in known}
        close = difflib.get_close_matches(name.lower(), near, 1)
        hint = f"did you mean {near[close[0]]!r}? " if close else ""
        raise ConfigError(f"unknown trainer; {hint}known: {', '.join(sorted(known))}")
    return known[name]
