"""``make hdfs`` and ``make hdfs-stop``: an HDFS in the background, for trying out.

A process of its own holds the HDFS; while it lives it holds a lock on its pid file, so that
nobody takes a file that was left behind for an HDFS that runs.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distkeras.errors import DistkerasError, EnvironmentProblem
from scripts.clusters.hadoop import READY_SECONDS, await_that
from scripts.clusters.hdfs import Hdfs
from scripts.clusters.maven import classpath

PID = "pid"
ADDRESSES = "addresses.json"
LOG = "log"


def main(arguments: list[str]) -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.clusters", description=__doc__)
    parser.add_argument("action", choices=["start", "stop", "serve"])
    parser.add_argument("folder", type=Path, help="what is known of the HDFS that runs")
    asked = parser.parse_args(arguments)
    try:
        {"start": start, "stop": stop, "serve": serve}[asked.action](asked.folder)
    except DistkerasError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    return 0


def start(folder: Path) -> None:
    """Start an HDFS in the background, wait until it is ready, and say where it is."""
    if serving(folder):
        print("HDFS runs already; `make hdfs-stop` ends it.")
    else:
        # Here, not in the background: a download shows, and what is missing is said here.
        classpath()
        launch(folder)
    print(described(folder))


def launch(folder: Path) -> None:
    """Start the process that holds the HDFS, and wait for the addresses."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.clusters", "serve", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    await_that(
        "HDFS has started",
        lambda: known(folder).get("pid") == process.pid or process.poll() is not None,
        4 * READY_SECONDS,
    )
    if process.poll() is not None:
        raise EnvironmentProblem(f"HDFS did not start: {(folder / LOG).read_text().strip()}")


def serve(folder: Path) -> None:
    """Hold an HDFS until SIGTERM; its data is gone with it."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with (
        locked(folder),
        tempfile.TemporaryDirectory(prefix="distkeras-hdfs-") as data,
        Hdfs(Path(data)) as hdfs,
        published(folder, hdfs),
    ):
        while True:
            signal.pause()


def stop(folder: Path) -> None:
    """End the HDFS of this folder, and return when its processes are gone."""
    if not serving(folder):
        print("No HDFS runs.")
        return
    os.kill(int((folder / PID).read_text()), signal.SIGTERM)
    await_that("HDFS has ended", lambda: not serving(folder))
    print("HDFS has ended; its data is gone.")


def serving(folder: Path) -> bool:
    """Whether a process holds the lock of this folder."""
    try:
        with (folder / PID).open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, with this process's id in it."""
    with (folder / PID).open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentProblem(f"another process holds {folder / PID}") from None
        held.truncate(0)
        print(os.getpid(), file=held, flush=True)
        yield


@contextmanager
def published(folder: Path, hdfs: Hdfs) -> Iterator[None]:
    """Let the addresses be known while the HDFS runs."""
    beside = folder / f"{ADDRESSES}.new"
    addresses = {"url": hdfs.url, "webhdfs": hdfs.webhdfs, "conf_dir": str(hdfs.conf_dir)}
    beside.write_text(json.dumps({"pid": os.getpid(), **addresses}))
    beside.replace(folder / ADDRESSES)
    try:
        yield
    finally:
        (folder / ADDRESSES).unlink(missing_ok=True)


def known(folder: Path) -> dict[str, Any]:
    """What was published last; nothing where nothing was."""
    try:
        return dict(json.loads((folder / ADDRESSES).read_text()))
    except FileNotFoundError:
        return {}


def described(folder: Path) -> str:
    """What a user needs to know of the HDFS that runs."""
    found = known(folder)
    if not found:
        raise EnvironmentProblem("HDFS is still starting: try again in some seconds")
    return (
        f"HDFS:    {found['url']}\nWebHDFS: {found['webhdfs']}\n"
        f"export HADOOP_CONF_DIR={found['conf_dir']}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
