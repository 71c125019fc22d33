"""Local paths: atomic publishing, fingerprints, JSON and models.

A result is written beside its final place, made durable, and renamed once. So whatever stands
under a final name is whole, however its writer ended.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import re
import shutil
import socket
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from distkeras.errors import DataError, StorageError

__all__ = [
    "exists",
    "fingerprint",
    "load_model",
    "local_path",
    "publish",
    "read_bytes",
    "read_json",
    "save_model",
    "sha256",
    "write_json",
]

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):(?=/)")
_STAGING = ".{name}.staging-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR}
_REFUSED |= {errno.EEXIST, errno.ENAMETOOLONG}
_OCCUPIED = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


def local_path(url: str | os.PathLike[str]) -> Path:
    """The local path that a URL names.

    Args:
        url: a path, or ``file:///absolute/path``.

    Raises:
        StorageError: the scheme is another one.
    """
    text = os.fspath(url)
    match = _SCHEME.match(text)
    if match is None:
        return Path(text)
    path = "/" + text[match.end() :].lstrip("/")
    if match[1] != "file" or re.match("//[^/]", text[match.end() :]):
        raise StorageError(f"{text}: only local paths and file:///absolute/path are supported")
    return Path(path)


def exists(url: str | os.PathLike[str]) -> bool:
    """Whether something stands at the URL."""
    return local_path(url).exists()


def read_bytes(url: str | os.PathLike[str]) -> bytes:
    """The content of one file.

    Raises:
        StorageError: it is missing or cannot be read.
    """
    path = local_path(url)
    with _one_line(path, "read"):
        return path.read_bytes()


def read_json(url: str | os.PathLike[str]) -> dict[str, Any]:
    """The JSON object in one file.

    Raises:
        StorageError: it is missing, cannot be read, or is no JSON object.
    """
    try:
        value = json.loads(read_bytes(url))
    except ValueError as error:
        raise StorageError(f"{os.fspath(url)}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise StorageError(f"{os.fspath(url)}: holds {type(value).__name__}, not a JSON object")
    return value


def write_json(path: str | os.PathLike[str], value: Mapping[str, Any]) -> None:
    """Writes a JSON object: keys as they come, two spaces, a newline at the end.

    Raises:
        StorageError: the path cannot be written.
        ValueError: a number is not finite, or a value is none of JSON's types.
    """
    target = local_path(path)
    text = json.dumps(dict(value), indent=2, allow_nan=False) + "\n"
    with _one_line(target, "write"):
        target.write_text(text, encoding="utf-8")


@contextmanager
def publish(url: str | os.PathLike[str]) -> Iterator[Path]:
    """Makes a directory appear whole or not at all.

    Yields an empty staging directory beside the final one. On normal exit it is flushed to disk
    and renamed once; on an exception it is removed. If the final directory has appeared
    meanwhile, that one stays and ours is discarded: the first one wins.

    Args:
        url: where the directory is to appear; parents are made.

    Raises:
        StorageError: no permission, no space, or a file stands at the final place.
    """
    final = local_path(url)
    staging = _staging_path(final)
    with _one_line(final, "write"):
        final.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(final)
        staging.mkdir()
    try:
        with _one_line(final, "write"):
            yield staging
            _flush_tree(staging)
            _rename(staging, final)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def fingerprint(path: str | os.PathLike[str]) -> str:
    """A hash that changes when the files under a path do: SHA-256, hexadecimal.

    It is taken over the sorted (relative path, size in bytes, modification time in ns) of every
    file, so no content is read. Hidden files and Spark's ``_``-files count too.

    Args:
        path: a file, a directory (searched to the bottom) or a glob pattern.

    Raises:
        DataError: nothing is there.
    """
    root = local_path(path)
    found = [root] if root.exists() else [Path(name) for name in glob.glob(str(root))]
    files = sorted(file for item in found for file in _files_below(item))
    if not files:
        kind = "it is an empty directory" if found else "no such file, directory or match"
        raise DataError(f"{os.fspath(path)}: {kind} (looked in {Path.cwd()})")
    base = root if root.is_dir() else root.parent
    digest = hashlib.sha256()
    for file in files:
        digest.update(json.dumps([os.path.relpath(file, base), *_stamp(file)]).encode())
    return digest.hexdigest()


def sha256(url: str | os.PathLike[str]) -> str:
    """SHA-256 of one file's content, hexadecimal, read in pieces of 1 MiB.

    Raises:
        StorageError: it is missing or cannot be read.
    """
    path = local_path(url)
    digest = hashlib.sha256()
    with _one_line(path, "read"), path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def save_model(model: Any, url: str | os.PathLike[str]) -> None:
    """Saves a Keras model atomically, with its checksum beside it (``<url>.sha256``).

    A reader sees the old model or the new one, never half of one: the checksum file names both
    while the model is being replaced.

    Args:
        model: a ``keras.Model``.
        url: where to; must end in ``.keras``.

    Raises:
        StorageError: the ending is another one, no permission, or no space.
    """
    final = local_path(url)
    if final.suffix != ".keras":
        raise StorageError(f"{os.fspath(url)}: a model's file name must end in .keras")
    staged = final.with_name(f".{final.stem}.{os.getpid()}-{uuid.uuid4().hex}.keras")
    try:
        with _one_line(final, "write"):
            final.parent.mkdir(parents=True, exist_ok=True)
            model.save(staged)
            _flush(staged)
            _replace_model(staged, final)
    finally:
        staged.unlink(missing_ok=True)


def load_model(url: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Loads a Keras model in safe mode, after checking its checksum if one lies beside it.

    Args:
        url: a ``.keras`` file.
        custom_objects: the classes and functions that Keras does not know, by name.

    Raises:
        StorageError: it is missing, damaged, or asks for code that safe mode refuses.
    """
    path = local_path(url)
    actual, expected = sha256(path), _checksums(path)
    if expected and actual not in expected:
        raise StorageError(
            f"{path}: damaged: its SHA-256 is {actual[:12]}..., {_sidecar(path).name} says "
            f"{expected[-1][:12]}..."
        )
    import keras

    try:
        with warnings.catch_warnings():
            # A model from a trainer has no optimizer state: it stayed with the workers.
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            return keras.saving.load_model(path, custom_objects=custom_objects, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError, BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise StorageError(f"{path}: cannot be loaded as a Keras model: {reason}") from error


def _replace_model(staged: Path, final: Path) -> None:
    new = sha256(staged)
    old = [sha256(final)] if final.exists() else []
    _write_checksums(final, [*old, new])
    os.replace(staged, final)
    _write_checksums(final, [new])
    _flush(final.parent)


def _sidecar(model: Path) -> Path:
    return model.with_name(model.name + ".sha256")


def _write_checksums(model: Path, digests: list[str]) -> None:
    sidecar = _sidecar(model)
    staged = sidecar.with_name(f".{sidecar.name}.{os.getpid()}-{uuid.uuid4().hex}")
    try:
        staged.write_text("".join(f"{digest}  {model.name}\n" for digest in digests))
        _flush(staged)
        os.replace(staged, sidecar)
    finally:
        staged.unlink(missing_ok=True)


def _checksums(model: Path) -> list[str]:
    sidecar = _sidecar(model)
    if not sidecar.exists():
        return []
    return [line.split()[0] for line in read_bytes(sidecar).decode().splitlines() if line]


def _staging_path(final: Path) -> Path:
    prefix = _STAGING.format(name=final.name)
    return final.with_name(f"{prefix}{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}")


def _remove_stale(final: Path) -> None:
    # Only this host can tell whether a process of its own is gone.
    mine = _STAGING.format(name=final.name) + socket.gethostname() + "-"
    for entry in final.parent.iterdir():
        process = entry.name.removeprefix(mine).split("-")[0]
        if entry.name.startswith(mine) and process.isdigit() and not _alive(int(process)):
            shutil.rmtree(entry, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _stamp(file: Path) -> tuple[int, int]:
    try:
        stat = file.stat()
    except OSError as error:
        raise DataError(f"{file}: cannot be looked at: {error.strerror}") from error
    return stat.st_size, stat.st_mtime_ns


def _files_below(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)


def _flush_tree(root: Path) -> None:
    for folder, _, names in os.walk(root):
        for name in names:
            _flush(Path(folder, name))
        _flush(Path(folder))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename(staging: Path, final: Path) -> None:
    try:
        os.rename(staging, final)
    except OSError as error:
        if error.errno not in _OCCUPIED:
            raise
        if not final.is_dir():
            raise StorageError(f"{final}: cannot be published: a file stands there") from error
        return
    _flush(final.parent)


@contextmanager
def _one_line(path: Path, verb: str) -> Iterator[None]:
    """Turns the operating system's refusals at a path into one line that names it."""
    try:
        yield
    except OSError as error:
        reason = _refusal(error, path)
        if reason is None:
            raise
        raise StorageError(f"{path}: cannot {verb}: {reason}") from error


def _refusal(error: OSError, path: Path) -> str | None:
    if error.errno in _FULL:
        return f"no space left on the disk of {path.parent} ({error.strerror})"
    about = Path(error.filename) if isinstance(error.filename, str) else path
    if error.errno in _REFUSED and (about in path.parents or path.parent in about.parents):
        return error.strerror
    return None
