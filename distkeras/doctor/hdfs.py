"""HDFS, where one is given or configured: its NameNode answers, and a DataNode takes a file."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from distkeras import storage
from distkeras.doctor.case import Case
from distkeras.doctor.findings import Finding, failed, ok, skipped
from distkeras.errors import StorageError
from distkeras.storage.hadoop_conf import HadoopConf
from distkeras.storage.hdfs_settings import hdfs_settings, use_hdfs_settings
from distkeras.storage.urls import RemotePath

__all__ = ["check_hdfs"]

#: Of the check's seconds, those of one operation; there are four.
PART = 0.2
SEE = "see docs/hdfs.md"


def check_hdfs(case: Case) -> Finding:
    """Looks at the folder that is given and writes there, or only looks at the configured HDFS."""
    given = case.question.hdfs
    if given is None and not _configured():
        return skipped("none is configured (HADOOP_CONF_DIR); --hdfs URL names one")
    with _patient(case.question.timeout * PART):
        try:
            return _looked_at() if given is None else _tried(RemotePath(given))
        except StorageError as error:
            return failed(str(error), SEE)


def _configured() -> bool:
    return bool(hdfs_settings().namenode_host or HadoopConf.read().default_authority)


def _looked_at() -> Finding:
    storage.exists("hdfs:///")
    return ok("hdfs:/// answers; --hdfs URL, a folder, has a file written and read, too")


def _tried(place: RemotePath) -> Finding:
    while not storage.exists(place) and place.path != "/":
        place = place.parent  # What can be written here, can make the folder.
    trial, content = place / f".distkeras-doctor-{secrets.token_hex(8)}", secrets.token_bytes(4096)
    try:
        storage.write_bytes(trial, content)
        same = storage.read_bytes(trial) == content
    finally:
        storage.files_of(trial).discard(str(trial))
    if not same:
        return failed(f"{trial}: other bytes were read than written", SEE)
    return ok(f"{place}: a file was written and read")


@contextmanager
def _patient(seconds: float) -> Iterator[None]:
    """HDFS is given up on within so many seconds, if not sooner."""
    before = hdfs_settings()
    use_hdfs_settings(replace(before, timeout=min(before.timeout, seconds)))
    try:
        yield
    finally:
        use_hdfs_settings(before)
