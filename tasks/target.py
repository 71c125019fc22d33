"""Where a task's result is, and whether it is there."""

from __future__ import annotations

import luigi

from distkeras.storage import Place, exists, locate

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
    def place(self) -> Place:
        """The directory, for joining names to it."""
        return locate(self.url)

    def exists(self) -> bool:
        """Whether the result is complete."""
        return exists(f"{self.url}/{MANIFEST}")

    def __str__(self) -> str:
        return self.url
