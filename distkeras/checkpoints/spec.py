"""What a user says about checkpoints."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass

from distkeras import storage
from distkeras.errors import ConfigError, StorageError
from distkeras.rules.arguments import positive, positive_int

__all__ = ["ENDING", "Checkpoint", "is_begun", "is_whole"]

ENDING = ".checkpoint"
#: The clock, in twelve digits or more; while it is written something hidden stands before it.
_WHOLE = re.compile(rf"\d{{12,}}{re.escape(ENDING)}")
_BEGUN = re.compile(rf"\.\w+-\d{{12,}}{re.escape(ENDING)}")


def is_whole(name: str) -> bool:
    """Whether a file of this name is a checkpoint that was written to its end."""
    return _WHOLE.fullmatch(name) is not None


def is_begun(name: str) -> bool:
    """Whether a file of this name is what a writer leaves that was killed."""
    return _BEGUN.fullmatch(name) is not None


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a training is saved, so that it can go on after its process was killed.

    ``train`` goes on from what it finds there. The last two are kept, and all are removed when
    the training has ended well.

    Attributes:
        url: a directory of their own, local or ``hdfs://``; made where it is not there.
        every_seconds: between two checkpoints; None: as windows say.
        every_windows: merged windows between two; None: as seconds say.
        keep: leave the last one, from which nothing is left to train, when the training has ended
            well; ``remove`` is then the caller's.

    Raises:
        ConfigError: an interval that never ends, or a URL of no storage.
    """

    url: storage.Url
    every_seconds: float | None = 60.0
    every_windows: int | None = None
    keep: bool = False

    def __post_init__(self) -> None:
        """Refuses what cannot work."""
        if self.every_seconds is not None:
            positive("every_seconds", self.every_seconds)
        if self.every_windows is not None:
            positive_int("every_windows", self.every_windows)
        if self.every_seconds is None and self.every_windows is None:
            raise ConfigError("Checkpoint needs every_seconds or every_windows")
        try:
            storage.locate(self.url)
        except StorageError as error:
            raise ConfigError(f"Checkpoint: {error}") from error

    def remove(self) -> None:
        """Removes the checkpoints, as far as that can be done at once.

        The directory goes with the last of them, but never with what somebody else keeps there.
        """
        place = storage.locate(self.url)
        files = storage.files_of(place)
        with suppress(StorageError, OSError):
            for entry in files.entries(str(place)):
                if is_whole(entry.name) or is_begun(entry.name):
                    files.discard(str(place / entry.name))
            if not files.entries(str(place)):
                files.discard(str(place))
