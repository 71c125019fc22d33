from __future__ import annotations

import os
from pathlib import Path

from distkeras.punchcard import launcher


def test_what_a_job_says_is_read_to_its_end_also_when_the_disk_is_full() -> None:
    reads, writes = os.pipe()
    os.write(writes, b"said" * 1000)
    os.close(writes)
    with os.fdopen(reads, "rb") as source, Path("/dev/full").open("ab", buffering=0) as full:
        launcher._copy(source, full, 100)
        assert source.read() == b""
