"""Where a task's result is, and whether it is there."""

from __future__ import annotations

from pathlib import Path

import luigi

from distkeras.storage import exists, local_path

__all__ = ["MANIFEST", "Published"]

MANIFEST = "manifest.json"


class Published(luigi.Target):  # type: ignore[misc]
    """A directory that was published whole: it is there exactly if its manifest is.

    Args:
        url: the directory.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def path(self) -> Path:
        """The directory as a local path."""
        return local_path(self.url)

    def exists(self) -> bool:
        """Whether the result is complete."""
        return exists(f"{self.url}/{MANIFEST}")

    def __str__(self) -> str:
        return self.url
