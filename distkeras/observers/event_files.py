"""TensorBoard's event files, while the training runs.

TensorFlow, which trains, writes TFRecord files and knows the messages in them, and an event file is
no more. The writer of ``tf.summary`` cannot be told when a value was measured; TensorBoard's own
would be another dependency, and waits where its queue of ten is full.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distkeras.errors import ConfigError, StorageError
from distkeras.observers.base import Beginning
from distkeras.observers.points import CENTER, Point, described
from distkeras.storage import RemotePath, Url, locate

__all__ = ["EventFiles", "local_folder"]

#: The format that TensorBoard drops later steps in, where a run begins again before them.
VERSION = "brain.Event:2"
#: Bytes before a record, and before and after it.
HEAD, FRAME = 12, 16
#: TensorBoard opens the first two groups; those that are not here are in "training".
TAGS = {"staleness": "exchange/staleness", "exchange_wait": "exchange/wait_seconds"}


class EventFiles:
    """An observer that writes what ``tensorboard --logdir FOLDER`` shows.

    In the folder are the runs: ``center``, and ``worker-0`` and so on. Their tags are
    ``training/loss``, likewise the model's metrics, ``training/samples_per_second``,
    ``exchange/staleness`` (updates of others) and ``exchange/wait_seconds``, and of the center
    also ``training/val_loss`` and the like where it is validated. The step is the number of rows
    that are merged into the center, by all workers; the time is when they were.

    A training that goes on from a checkpoint goes on in the same folder: what was written of the
    windows that the checkpoint lacks, and that are trained again, is cut off. One that begins anew
    takes the place of what is in the folder, so give each a folder of its own.

    Args:
        folder: a local path; it is made when the training begins.
        finest: seconds of training in one point, where windows are shorter.
        patience: seconds that the end of the training may wait for a disk.

    Raises:
        ConfigError: it is not local.
    """

    name = "event files"

    def __init__(self, folder: Url, finest: float = 0.1, patience: float = 10.0) -> None:
        self.folder = local_folder(folder)
        self.finest, self.patience = finest, patience
        self._run, self._shown = "", 0
        self._files: dict[str, Any] = {}
        self._described: set[tuple[str, str]] = set()

    def open(self, beginning: Beginning) -> int:
        """See ``Observer``.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._run, self._files, self._described = beginning.run, {}, set()
        runs = [CENTER, *(path.name for path in self.folder.glob("worker-*"))]
        with _told(self.folder):
            kept = {run: _cut(self.folder / run, beginning.rows) for run in runs}
            # What the process before had no time to write is written now.
            self._shown = kept[CENTER]
            for run in runs:
                self._file(run)
        return self._shown

    def take(self, points: Sequence[Point]) -> None:
        """See ``Observer``.

        Raises:
            StorageError: the disk is full, or gone.
        """
        with _told(self.folder):
            for point in points:
                self._write(point)
            for file in self._files.values():
                file.flush()

    def close(self, succeeded: bool) -> None:
        """See ``Observer``; raises as ``take``."""
        with _told(self.folder):
            for file in self._files.values():
                file.close()

    def abandon(self) -> None:
        """See ``Observer``."""

    def _write(self, point: Point) -> None:
        from tensorflow.compat.v1 import Event

        event = Event(wall_time=point.time, step=point.step)
        for name, value in point.values.items():
            # No tensor as of tf.summary: an open TensorBoard would keep those that were cut off.
            told = event.summary.value.add(
                tag=TAGS.get(name, f"training/{name}"), simple_value=value
            )
            if (point.run, name) not in self._described:
                self._described.add((point.run, name))
                told.metadata.plugin_data.plugin_name = "scalars"
                told.metadata.summary_description = described(name)
        self._file(point.run).write(event.SerializeToString())

    def _file(self, run: str) -> Any:
        if run not in self._files:
            self._files[run] = _begun(self.folder / run, self._run, self._shown)
        return self._files[run]


def local_folder(url: Url) -> Path:
    """The folder, which can only be of this machine.

    Raises:
        ConfigError: it is not.
    """
    try:
        place = locate(url)
    except StorageError as error:
        raise ConfigError(f"{os.fspath(url)}: event files need a local folder") from error
    if isinstance(place, RemotePath):
        raise ConfigError(f"{place}: event files need a local folder: they grow while one looks")
    return place.expanduser()


def _begun(folder: Path, run: str, shown: int) -> Any:
    """A new file in a folder, for what comes after a step."""
    from tensorflow.compat.v1 import Event, SessionLog
    from tensorflow.io import TFRecordWriter

    now = time.time()
    folder.mkdir(parents=True, exist_ok=True)
    # The readers take the files of a run in the order of their names.
    name = f"events.out.tfevents.{now:010.0f}.{socket.gethostname()}.{run}"
    file = TFRecordWriter(str(folder / name))
    start = SessionLog(status=SessionLog.START)
    # For a TensorBoard that has read what was cut off.
    again = Event(wall_time=now, step=shown + 1, session_log=start)
    for event in (Event(wall_time=now, file_version=VERSION), again):
        file.write(event.SerializeToString())
    file.flush()
    return file


def _cut(folder: Path, rows: int) -> int:
    """Cuts off what a run's files have after a step, and what was not written to its end.

    Returns:
        The last step that they have.
    """
    return max((_cut_file(file, rows) for file in folder.glob("events.out.tfevents.*")), default=0)


def _cut_file(file: Path, rows: int) -> int:
    from google.protobuf.message import DecodeError
    from tensorflow.compat.v1 import Event

    content, end, last = file.read_bytes(), 0, 0
    while end + FRAME <= len(content):
        (length,) = struct.unpack_from("<Q", content, end)
        record = content[end + HEAD : end + HEAD + length]
        try:
            event = Event.FromString(record)
        except DecodeError:
            break
        if end + FRAME + length > len(content) or (event.summary.value and event.step > rows):
            break
        end += FRAME + length
        last = max(last, event.step if event.summary.value else 0)
    os.truncate(file, end)
    return last


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """What the disk refuses, as one line."""
    from tensorflow import errors

    try:
        yield
    except errors.OpError as error:
        raise StorageError(f"{folder}: {error.message}") from error
    except OSError as error:
        raise StorageError(f"{error.filename or folder}: {error.strerror}") from error
