"""The trainers that jobs may name: the library's, and those that the server's owner has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

from distkeras.errors import ConfigError
from distkeras.trainers import TRAINERS, EnsembleTrainer, Trainer

__all__ = ["KNOWN", "own_trainers"]

#: Every trainer of the library by its name.
KNOWN: Mapping[str, type[Trainer]] = {**TRAINERS, "EnsembleTrainer": EnsembleTrainer}


def own_trainers(references: Sequence[str]) -> dict[str, type[Trainer]]:
    """The library's trainers and the owner's own, by their names.

    Args:
        references: ``package.module:Class``.

    Raises:
        ConfigError: one cannot be imported, or is no trainer.
    """
    found = dict(KNOWN)
    for reference in references:
        module, _, name = reference.partition(":")
        try:
            kind = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigError(f"--trainer {reference}: {error}") from None
        if not isinstance(kind, type) or not issubclass(kind, Trainer):
            raise ConfigError(f"--trainer {reference}: is no class of trainers")
        found[name] = kind
    return found
