"""What every kind of storage can do; everything else in this package is written on top of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

__all__ = ["Entry", "Files"]


class Entry(NamedTuple):
    """What stands under one name.

    Attributes:
        name: without the folders above.
        directory: whether it is one.
        size: bytes; 0 for a directory.
        modified: when its content last changed, in nanoseconds since 1970.
    """

    name: str
    directory: bool
    size: int
    modified: int


class Files(Protocol):
    """One file system. Every URL is given whole, as the user wrote it.

    Raises:
        StorageError: from each method, one line that names the URL, what was tried, and, where
            something did not answer, for how long.
    """

    def entry(self, url: str) -> Entry | None:
        """What stands at the URL; None where nothing does."""

    def entries(self, url: str) -> list[Entry]:
        """What stands in a directory, in the order of the names."""

    def read(self, url: str) -> Iterator[bytes]:
        """A file's content in pieces of at most about a mebibyte."""

    def write(self, url: str, source: Callable[[], Iterable[bytes]]) -> None:
        """Writes a file, in place of one that may be there; not atomic: write beside, and rename.

        The folders above it must be there. What was begun is removed where an error is raised.

        Args:
            url: where to.
            source: gives the content, in pieces, from its start; called again for another attempt
                where a connection broke in the middle.
        """

    def make_directory(self, url: str) -> None:
        """Makes a directory and those above it; it may be there already."""

    def rename(self, source: str, target: str, *, replace: bool) -> bool:
        """Moves a file or a directory in one step.

        Args:
            source: what to move.
            target: its new name, in a directory that is there.
            replace: files only: one at the target is replaced. Otherwise directories only, and
                nothing happens where something stands at the target.

        Returns:
            Whether it was moved.
        """

    def discard(self, url: str) -> None:
        """Removes a file, or a directory with all in it, as far as that can be done at once.

        For cleaning up, often because of an error: tries once, takes five seconds at most, and
        raises nothing. What is left counts for nothing, and a later publication removes it.
        """

    def flush(self, url: str) -> None:
        """Returns when what stands at the URL, and below it, survives a loss of power."""
