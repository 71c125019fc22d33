"""Which files a source names, and how they are written; nothing is read."""

from __future__ import annotations

import difflib
import posixpath
from typing import TYPE_CHECKING

from distkeras.errors import StorageError
from distkeras.preprocessing.spec import ENDINGS, Format
from distkeras.storage import files_below, find, locate

if TYPE_CHECKING:
    from distkeras.storage import Place

__all__ = ["check_there", "data_files", "suffixes_in"]


def check_there(who: str, path: str) -> None:
    """Refuses a path where nothing is.

    Args:
        who: names it, for the message: "source 'events'".
        path: a file, directory or glob.

    Raises:
        StorageError: names the nearest one that is there.
    """
    if not find(path):
        place = locate(path)
        above = find(place.parent)
        beside = [found.name for found in find(place.parent / "*")] if above else []
        close = difflib.get_close_matches(place.name, beside, n=1)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        raise StorageError(f"{who}: {path} does not exist{hint}")


def suffixes_in(path: str, kind: Format) -> tuple[str, ...]:
    """The endings of the files that count in a directory, where READMEs and scripts lie, too.

    Args:
        path: a file, directory or glob.
        kind: what is looked for.

    Returns:
        Endings with their dots, in lower case. None, where all files count: what was named file
        by file, or by a pattern, is read whatever it is called.

    Raises:
        StorageError: such files lie only in folders below.
    """
    if not any(found.entry.directory and not found.name for found in find(path)):
        return ()
    endings = tuple(
        f".{ending}{more}" for ending, of in ENDINGS.items() if of == kind for more in ("", ".gz")
    )
    names = [found.name for found in files_below(path) if found.name.lower().endswith(endings)]
    folders = sorted({posixpath.dirname(name) for name in names})
    if not folders:
        return ()
    if not any(not part or "=" in part for part in (f.split("/")[0] for f in folders)):
        raise StorageError(
            f"{path} holds no {kind} file itself; did you mean '{path.rstrip('/')}/{folders[0]}'?"
        )
    return endings


def data_files(path: str, kind: Format) -> list[Place]:
    """The files that Spark would read, in the order of their names.

    Raises:
        StorageError: there is none, or a folder's name holds a column ("day=1"), which only Spark
            reads.
    """
    endings, below = suffixes_in(path, kind), list(files_below(path))
    if any(found.entry.directory for found in find(path)):
        below = [found for found in below if not _hidden(found.name)]
    chosen = [f for f in below if not endings or f.name.lower().endswith(endings)]
    if not chosen:
        raise StorageError(f"{path} holds no {kind} file")
    for found in chosen:
        if "=" in posixpath.dirname(found.name):
            raise StorageError(f"{found.place}: the folder's name is a column: that needs Spark")
    return [found.place for found in sorted(chosen, key=lambda found: found.name)]


def _hidden(name: str) -> bool:
    """Whether Spark passes over it: "_SUCCESS" and the like."""
    return any(part.startswith(("_", ".")) and "=" not in part for part in name.split("/"))
