"""Settings that no test leaves behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from distkeras.storage.hdfs_settings import hdfs_settings, use_hdfs_settings


@pytest.fixture(autouse=True)
def default_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test starts with what a program has that says nothing of HDFS, and so does the next."""
    for name in ("HADOOP_CONF_DIR", "HADOOP_USER_NAME"):
        monkeypatch.delenv(name, raising=False)
    before = hdfs_settings()
    yield
    use_hdfs_settings(before)
