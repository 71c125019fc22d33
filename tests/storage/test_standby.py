"""Two NameNodes, for real: one is active, the other one takes over when it is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from distkeras import storage
from scripts.clusters.pair import Pair

pytestmark = pytest.mark.long


def test_the_other_namenode_is_asked_when_the_active_one_is_killed(
    hadoop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Pair(tmp_path) as pair:
        monkeypatch.setenv("HADOOP_CONF_DIR", str(pair.conf_dir))
        first, second = (storage.locate(f"{pair.url}/{name}") for name in ("first", "second"))
        storage.write_bytes(first, b"by nn1")
        pair.namenodes[0].kill()
        pair.activate(1)
        assert storage.read_bytes(first) == b"by nn1"
        storage.write_bytes(second, b"by nn2")
        # Back, it is on standby, and says so to whoever asks it first.
        pair.namenodes[0].start()
        assert storage.read_bytes(second) == b"by nn2"
