"""The spool gives back the rows it was given, from memory or from files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distkeras.errors import EnvironmentProblem
from distkeras.spool import Spool

MEMORY, FILES = 10**9, 0
bounds = pytest.mark.parametrize("bound", [MEMORY, FILES], ids=["memory", "files"])


def batch(keys: list[int]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Rows that can be told apart, in columns of several types and shapes."""
    key = np.array(keys, np.int64)
    columns = {
        "x": (key[:, None] * 10 + np.arange(3)).astype(np.float32),
        "y": key.astype(np.int32),
        "wide": np.repeat(key[:, None], 2, axis=1).astype(np.float64),
    }
    return key, columns


@bounds
@given(
    batches=st.lists(st.lists(st.integers(-1000, 1000), max_size=9), max_size=6),
    picks=st.lists(st.integers(0, 10**6), max_size=9),
)
def test_rows_come_back_in_the_order_of_their_keys(
    bound: int, batches: list[list[int]], picks: list[int]
) -> None:
    keys = sorted(key for part in batches for key in part)
    with Spool(bound) as spool:
        for part in batches:
            spool.append(*batch(part))
        spool.sort()
        assert len(spool) == len(keys)
        if not keys:
            return
        assert spool.spilled == (bound == FILES)
        indices = np.array([pick % len(keys) for pick in picks], np.int64)
        rows = spool.take(indices)
        _, expected = batch([keys[index] for index in indices])
    assert rows.keys() == expected.keys()
    for name, column in expected.items():
        np.testing.assert_array_equal(rows[name], column)
        assert rows[name].dtype == column.dtype
        assert rows[name].shape == column.shape


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(0, 2000))
def test_memory_and_files_hold_the_same_wherever_the_bound_is_reached(
    sizes: list[int], bound: int
) -> None:
    with Spool(MEMORY) as kept, Spool(bound) as spilled:
        first = 0
        for size in sizes:
            for spool in (kept, spilled):
                spool.append(*batch(list(range(first, first + size))))
            first += size
        assert not kept.spilled
        assert spilled.spilled == (first * (12 + 4 + 16) > bound)
        for spool in (kept, spilled):
            spool.sort()
        indices = np.arange(first)
        for name, column in kept.take(indices).items():
            np.testing.assert_array_equal(spilled.take(indices)[name], column)


@bounds
def test_rows_of_one_key_stay_in_the_order_of_their_coming(bound: int) -> None:
    with Spool(bound) as spool:
        values = np.random.default_rng(0).permutation(100)
        for value in values:
            spool.append(np.array([value % 2]), {"y": np.array([value], np.float32)})
        spool.sort()
        expected = [*values[values % 2 == 0], *values[values % 2 == 1]]
        assert spool.take(np.arange(100))["y"].tolist() == expected


@bounds
def test_what_is_taken_may_be_changed(bound: int) -> None:
    with Spool(bound) as spool:
        spool.append(*batch([1, 2]))
        spool.sort()
        spool.take(np.arange(2))["y"][:] = 9
        assert spool.take(np.arange(2))["y"].tolist() == [1, 2]


def test_files_lie_in_the_given_directory_and_go_with_the_spool(tmp_path: Path) -> None:
    with Spool(FILES, str(tmp_path)) as spool:
        assert list(tmp_path.iterdir()) == []  # Nothing before it is needed.
        spool.append(*batch([1, 2, 3]))
        spool.sort()
        (folder,) = tmp_path.iterdir()
        assert len(list(folder.iterdir())) == 3
    assert list(tmp_path.iterdir()) == []


def test_files_go_when_the_worker_fails(tmp_path: Path) -> None:
    def work() -> None:
        with Spool(FILES, str(tmp_path)) as spool:
            spool.append(*batch([1, 2, 3]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert list(tmp_path.iterdir()) == []


def test_nothing_touches_the_disk_below_the_bound(tmp_path: Path) -> None:
    with Spool(MEMORY, str(tmp_path)) as spool:
        spool.append(*batch([1, 2, 3]))
        spool.sort()
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs the command mount")
    if mounted.returncode:
        pytest.skip(f"needs the right to mount: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("batches", ["small", "one", "a little too much"])
def test_a_full_disk_is_one_line_with_a_way_out(small_disk: Path, batches: str) -> None:
    disk = os.statvfs(small_disk)
    room = disk.f_bavail * disk.f_frsize // 4
    # A little waits in the file's buffer, and fails only when that is written.
    sizes = {"small": [100] * (room // 50), "one": [2 * room], "a little too much": [room + 1000]}

    def fill() -> None:
        with Spool(FILES, str(small_disk)) as spool:
            for rows in sizes[batches]:
                spool.append(np.arange(rows), {"y": np.zeros(rows, np.float32)})
            spool.sort()

    with pytest.raises(EnvironmentProblem) as problem:
        fill()
    message = str(problem.value)
    assert message.startswith(f"no space left in {small_disk}")
    assert "set spark.local.dir, or raise memory_mb" in message
    assert "\n" not in message
    assert list(small_disk.iterdir()) == []


#: Reads a spool of 64 MiB beyond a bound of 4 MiB at random, and prints what that added to the
#: process's resident memory, in MiB.
GROWTH = """
import os
import numpy as np
from distkeras.spool import Spool

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

BOUND, WIDTH, ROWS = 4 * 2**20, 64, 4096
random = np.random.default_rng(0)
with Spool(BOUND) as spool:
    before = peak = resident()
    for part in range(64):
        block = np.full((ROWS, WIDTH), part, np.float32)
        spool.append(np.arange(part * ROWS, (part + 1) * ROWS), {"x": block})
        peak = max(peak, resident())
    spool.sort()
    assert spool.spilled and len(spool) == 64 * ROWS
    for _ in range(100):
        spool.take(random.integers(0, len(spool), 384))
        peak = max(peak, resident())
print(peak - before)
"""


def test_resident_memory_stays_near_the_bound() -> None:
    ran = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True)
    # 4 MiB of rows, 4 MiB of keys and their order, and what NumPy needs to sort them.
    assert float(ran.stdout) < 32
