"""Which checkpoints are there, and which one is gone on from."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from distkeras.checkpoints import Checkpoint, Keeper, Saved
from distkeras.errors import ConfigError
from distkeras.rules import downpour
from distkeras.server import ParameterServer
from tests.linear import server_of, update

IDENTITY = {"rule": "DOWNPOUR", "rows": [4, 4]}


@pytest.fixture
def server() -> ParameterServer:
    server = server_of(downpour())
    server.join(0, 0, 100)
    return server


def keeper(folder: Path, server: ParameterServer, keep: bool = False) -> Keeper:
    spec = Checkpoint(folder / "kept", every_seconds=None, every_windows=1, keep=keep)
    return Keeper(spec, IDENTITY, lambda: Saved(IDENTITY, server.snapshot()))


def written(folder: Path, server: ParameterServer, windows: int) -> Keeper:
    """A keeper that has looked after each of so many windows."""
    one = keeper(folder, server)
    assert one.find() is None
    for sequence in range(windows):
        server.exchange(update(sequence))
        one.look(server.clock)
        one.wait()
    return one


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "kept").iterdir())


def test_the_last_two_are_kept(tmp_path: Path, server: ParameterServer) -> None:
    written(tmp_path, server, 5)
    assert names(tmp_path) == ["000000000004.checkpoint", "000000000005.checkpoint"]
    found = keeper(tmp_path, server).find()
    assert found is not None
    assert found.snapshot.clock == 5
    np.testing.assert_array_equal(found.snapshot.center, server.center)


@pytest.mark.parametrize("damage", [b"", b"DKCHECK2", b"x" * 1000])
def test_a_damaged_one_is_passed_over_with_a_warning(
    tmp_path: Path, server: ParameterServer, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    written(tmp_path, server, 3)
    (tmp_path / "kept" / "000000000003.checkpoint").write_bytes(damage)
    with caplog.at_level(logging.WARNING):
        found = keeper(tmp_path, server).find()
    assert found is not None
    assert found.snapshot.clock == 2
    (line,) = caplog.messages
    assert "000000000003.checkpoint: left out: damaged" in line
    (tmp_path / "kept" / "000000000002.checkpoint").write_bytes(damage)
    assert keeper(tmp_path, server).find() is None


def test_what_a_killed_writer_left_is_removed(tmp_path: Path, server: ParameterServer) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / ".abc-000000000009.checkpoint").write_bytes(b"half")
    written(tmp_path, server, 1)
    assert names(tmp_path) == ["000000000001.checkpoint"]


def test_another_training_is_refused_by_name(tmp_path: Path, server: ParameterServer) -> None:
    written(tmp_path, server, 1)
    other = {**IDENTITY, "rows": [3, 5]}
    spec = Checkpoint(tmp_path / "kept")
    with pytest.raises(ConfigError, match=r"rows was \[4, 4\], not \[3, 5\]; remove it"):
        Keeper(spec, other, lambda: Saved(other, server.snapshot())).find()


def test_nothing_is_left_of_a_training_that_ended(tmp_path: Path, server: ParameterServer) -> None:
    written(tmp_path, server, 3).finish()
    assert not (tmp_path / "kept").exists()


def test_what_else_stands_there_is_left_alone(tmp_path: Path, server: ParameterServer) -> None:
    theirs = [".git", ".env", "model.keras", "best.checkpoint"]
    (tmp_path / "kept" / ".git").mkdir(parents=True)
    for name in theirs[1:]:
        (tmp_path / "kept" / name).write_text("theirs")
    one = written(tmp_path, server, 3)
    assert names(tmp_path) == sorted(
        [*theirs, "000000000002.checkpoint", "000000000003.checkpoint"]
    )
    one.finish()
    assert names(tmp_path) == sorted(theirs)


def test_the_end_is_kept_where_that_is_wanted(tmp_path: Path, server: ParameterServer) -> None:
    one = keeper(tmp_path, server, keep=True)
    assert one.find() is None
    server.exchange(update(0))
    one.finish()
    assert names(tmp_path) == ["000000000001.checkpoint"]


def test_training_goes_on_where_none_can_be_written(
    tmp_path: Path, server: ParameterServer, caplog: pytest.LogCaptureFixture
) -> None:
    one = written(tmp_path, server, 1)
    for path in (tmp_path / "kept").iterdir():
        path.unlink()
    (tmp_path / "kept").rmdir()
    (tmp_path / "kept").write_text("a file")
    server.exchange(update(1))
    one.look(server.clock)
    one.wait()
    assert "no checkpoint could be written, training goes on: " in caplog.text
    (tmp_path / "kept").unlink()
    (tmp_path / "kept").mkdir()
    server.exchange(update(2))
    one.look(server.clock)
    one.wait()
    assert names(tmp_path) == ["000000000003.checkpoint"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"every_seconds": 0}, "every_seconds is 0"),
        ({"every_windows": -1}, "every_windows is -1"),
        ({"every_seconds": None}, "needs every_seconds or every_windows"),
        ({"url": "s3a://bucket/x"}, "only local paths"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Checkpoint(**{"url": "x", **arguments})  # type: ignore[arg-type]
