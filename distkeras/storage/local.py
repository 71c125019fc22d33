"""The file systems of this machine."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from distkeras.errors import StorageError
from distkeras.storage.files import Entry
from distkeras.storage.urls import local_path

__all__ = ["LocalFiles", "one_line"]

_PIECE = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR}
_REFUSED |= {errno.EEXIST, errno.ENAMETOOLONG}
_OCCUPIED = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


class LocalFiles:
    """See ``Files``; URLs are paths, or ``file:///absolute/path``."""

    def entry(self, url: str) -> Entry | None:
        """See ``Files``."""
        path = local_path(url)
        with one_line(path, "look at"):
            return _entry(path) if path.exists() else None

    def entries(self, url: str) -> list[Entry]:
        """See ``Files``."""
        path = local_path(url)
        with one_line(path, "list"):
            names = sorted(os.listdir(path))
        # Others may take away what was listed; a link that leads nowhere is there, and is told of.
        return [_entry(path / name) for name in names if os.path.lexists(path / name)]

    def read(self, url: str) -> Iterator[bytes]:
        """See ``Files``."""
        path = local_path(url)
        with one_line(path, "read"), path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece

    def write(self, url: str, source: Callable[[], Iterable[bytes]]) -> None:
        """See ``Files``."""
        path = local_path(url)
        try:
            with one_line(path, "write"), path.open("wb") as stream:
                stream.writelines(source())
        except BaseException:
            self.discard(url)
            raise

    def make_directory(self, url: str) -> None:
        """See ``Files``."""
        path = local_path(url)
        with one_line(path, "make this directory"):
            path.mkdir(parents=True, exist_ok=True)

    def rename(self, source: str, target: str, *, replace: bool) -> bool:
        """See ``Files``."""
        path = local_path(target)
        try:
            with one_line(path, "write"):
                (os.replace if replace else os.rename)(local_path(source), path)
                _flush(path.parent)
        except StorageError as error:
            if not replace and getattr(error.__cause__, "errno", None) in _OCCUPIED:
                return False
            raise
        return True

    def discard(self, url: str) -> None:
        """See ``Files``."""
        path = local_path(url)
        try:
            path.unlink(missing_ok=True)
        except OSError:
            shutil.rmtree(path, ignore_errors=True)

    def flush(self, url: str) -> None:
        """See ``Files``."""
        path = local_path(url)
        with one_line(path, "write"):
            for folder, _, names in os.walk(path):
                for name in names:
                    _flush(Path(folder, name))
                _flush(Path(folder))
            if not path.is_dir():
                _flush(path)


def _entry(path: Path) -> Entry:
    try:
        stat = path.stat()
    except OSError as error:
        raise StorageError(f"{path}: cannot be looked at: {error.strerror}") from error
    directory = path.is_dir()
    return Entry(path.name, directory, 0 if directory else stat.st_size, stat.st_mtime_ns)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def one_line(path: Path, verb: str) -> Iterator[None]:
    """Turns the operating system's refusals at a path into one line that names it.

    Args:
        path: other paths' refusals pass unchanged.
        verb: what was tried: "read".

    Raises:
        StorageError: in their place.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        reason = _refusal(error, path)
        if reason is None:
            raise
        raise StorageError(f"{path}: cannot {verb}: {reason}") from error


def _refusal(error: OSError, path: Path) -> str | None:
    if error.errno in _FULL:
        return f"no space left on the disk of {path.parent} ({error.strerror})"
    about = Path(error.filename) if isinstance(error.filename, str) else path
    if error.errno in _REFUSED | _OCCUPIED and (
        about in path.parents or path.parent in about.parents
    ):
        return error.strerror
    return None
