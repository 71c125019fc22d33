"""Packs the library and its environment for Spark's executors: ``make package``.

``environment.tar.gz`` is a virtual environment with the library in it, for ``--archives``;
``distkeras.zip`` the library alone, for ``--py-files`` where the machines have the rest. See
docs/clusters.md.

A virtual environment finds its packages from where its ``bin/python`` is, so it needs no more to
move than a Python of the same version at the same place as here: ``home`` in its ``pyvenv.cfg``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from distkeras.errors import DistkerasError, EnvironmentProblem

__all__ = ["library", "main", "pack_environment", "pack_library"]

ROOT = Path(__file__).resolve().parent.parent
#: What the library is.
PACKAGES = ("distkeras", "tasks")
#: What an executor has no use for: the driver's JVM, installers, and what Python makes itself.
UNWANTED = ("pyspark/jars", "pyspark/examples", "pip", "setuptools", "wheel")
#: gzip's; more takes minutes longer and saves little of what is mostly machine code.
LEVEL = 3


def pack_environment(environment: Path, archive: Path) -> Path:
    """Packs a virtual environment, with the library of this folder in it.

    Args:
        environment: its folder.
        archive: the ``.tar.gz`` to write; it is there when it is whole, and not before.

    Returns:
        The Python that must be on the executors' machines, too.

    Raises:
        EnvironmentProblem: if the folder is no virtual environment, or takes packages from
            outside of it.
    """
    python = _base_python(environment)
    (site,) = environment.glob("lib/python3*/site-packages")
    inside = PurePosixPath(site.relative_to(environment).as_posix())
    with _published(archive) as beside, tarfile.open(beside, "w:gz", compresslevel=LEVEL) as tar:
        tar.add(environment, ".", filter=_chosen(inside))
        for path, name in library():
            tar.add(path, str(inside / name), filter=_anonymous)
    return python


def pack_library(archive: Path) -> None:
    """Packs the library alone.

    Args:
        archive: the ``.zip`` to write; it is there when it is whole, and not before.
    """
    with _published(archive) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as file:
        for path, name in library():
            file.write(path, name)


def library() -> Iterator[tuple[Path, str]]:
    """The library's files, and their names in an archive."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path, path.relative_to(ROOT).as_posix()


def _base_python(environment: Path) -> Path:
    config = environment / "pyvenv.cfg"
    if not config.is_file():
        raise EnvironmentProblem(f"{environment} is no virtual environment: no pyvenv.cfg in it")
    parser = ConfigParser()
    parser.read_string("[venv]\n" + config.read_text())
    if parser.getboolean("venv", "include-system-site-packages", fallback=False):
        raise EnvironmentProblem(
            f"{environment} takes packages from outside of it (--system-site-packages): "
            "executors would lack them; make one without"
        )
    return (environment / "bin" / "python").resolve()


def _chosen(site: PurePosixPath) -> Callable[[tarfile.TarInfo], tarfile.TarInfo | None]:
    """Leaves out what is unwanted, and the library: an editable install only points to it."""
    unwanted = {site / name for name in (*UNWANTED, *PACKAGES)}

    def choose(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        path = PurePosixPath(member.name)
        editable = path.parent == site and path.name.startswith(("__editable__", "distkeras-"))
        if path in unwanted or path.name == "__pycache__" or editable:
            return None
        return _anonymous(member)

    return choose


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whose files these are here says nothing there."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


@contextmanager
def _published(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        beside.chmod(0o644)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    """Packs both, and prints what to write into luigi.cfg."""
    parser = argparse.ArgumentParser(prog="package.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv", help="to be packed")
    parser.add_argument("--folder", type=Path, default=ROOT / "dist", help="for the archives")
    asked = parser.parse_args(arguments)
    archive = asked.folder / "environment.tar.gz"
    try:
        python = pack_environment(asked.environment, archive)
        pack_library(asked.folder / "distkeras.zip")
    except (DistkerasError, OSError) as problem:
        print(f"ERROR: {problem}", file=sys.stderr)
        return 1
    print(f"{archive}: {archive.stat().st_size / 2**20:.0f} MiB; it needs {python} on executors.")
    print(f"[spark]\narchives = {archive}#environment")
    print("conf = spark.pyspark.python=./environment/bin/python")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
