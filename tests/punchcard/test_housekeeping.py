from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from distkeras.punchcard.data_roots import DataRoots
from distkeras.punchcard.housekeeping import FORGOTTEN, Housekeeping
from distkeras.punchcard.job_folder import LOG, MODEL, UPLOAD
from distkeras.punchcard.limits import Limits
from distkeras.punchcard.processes import Processes
from distkeras.punchcard.store import Share, Store
from tests.punchcard.served import Server, ended, until
from tests.punchcard.test_store import wanted

DAY = 86400.0


class House:
    """What a server has, without the server."""

    def __init__(self, folder: Path, store: Store, keep: float | None = None) -> None:
        (folder / "data").mkdir()
        limits = Limits(DataRoots([str(folder / "data")]), keep_seconds=keep)
        self.store, self.processes = store, Processes(folder / "jobs")
        self.results = folder / "results"
        self.keeping = Housekeeping(store, self.processes, self.results, limits)

    def job(self, key: str, *files: str) -> str:
        name = self.store.submit(wanted(key), Share(99, 99))[0].id
        self.processes.folder(name).mkdir()
        for file in files:
            (self.processes.folder(name) / file).write_text(file)
        return name

    def ended(self, key: str) -> str:
        name = self.job(key, MODEL, LOG)
        (self.results / name).mkdir(parents=True)
        (self.results / f".{name}.checkpoints").mkdir()
        self.store.queue(name)
        self.store.end(name, "failed")
        return name


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "jobs.sqlite") as opened:
        yield opened


def test_a_job_is_forgotten_when_nothing_of_its_model_comes_any_more(
    tmp_path: Path, store: Store
) -> None:
    house = House(tmp_path, store)
    upload = f"{UPLOAD}1"
    new, never = house.job("key-0"), house.job("key-1")
    slow, stopped = house.job("key-2", upload), house.job("key-3", upload)
    long_ago = time.time() - FORGOTTEN - 60
    with store._transaction() as database:
        database.execute("UPDATE jobs SET submitted = ? WHERE id != ?", (long_ago, new))
    os.utime(house.processes.folder(stopped) / upload, (long_ago, long_ago))
    house.keeping.round(time.time())
    assert [store.job(name) is not None for name in (new, never, slow, stopped)] == [
        *(True, False, True, False),
    ]
    assert house.processes.names() == sorted([new, slow])


def test_what_an_ended_job_needs_no_more_is_removed_and_the_rest_is_kept(
    tmp_path: Path, store: Store
) -> None:
    house = House(tmp_path, store)
    done, waits = house.ended("key-0"), house.job("key-1", MODEL)
    (house.results / f".{waits}.checkpoints").mkdir()
    (house.results / ".somebody-elses").mkdir()
    house.keeping.round(time.time() + 1)
    assert [one.name for one in house.processes.folder(done).iterdir()] == [LOG]
    assert (house.processes.folder(waits) / MODEL).exists()
    found = sorted(one.name for one in house.results.iterdir())
    assert found == sorted([done, f".{waits}.checkpoints", ".somebody-elses"])


def test_what_has_ended_is_kept_for_as_long_as_the_owner_says(tmp_path: Path, store: Store) -> None:
    house = House(tmp_path, store, keep=DAY)
    old, new, waits = house.ended("key-0"), house.ended("key-1"), house.job("key-2")
    with store._transaction() as database:
        database.execute("UPDATE jobs SET ended = ended - 90000 WHERE id = ?", (old,))
    house.keeping.round(time.time())
    assert [store.job(name) is not None for name in (old, new, waits)] == [False, True, True]
    assert house.processes.names() == sorted([new, waits])
    assert {one.name for one in house.results.iterdir()} == {new}


def test_without_a_word_of_the_owners_it_is_kept_for_ever(tmp_path: Path, store: Store) -> None:
    house = House(tmp_path, store)
    old = house.ended("key-0")
    house.keeping.round(time.time() + 10_000 * DAY)
    assert store.job(old) is not None
    assert (house.results / old).exists()


def test_a_server_keeps_no_model_of_a_job_that_has_ended(tmp_path: Path) -> None:
    def models() -> list[str]:
        return [name for name in server.files() if name.endswith(MODEL)]

    with Server(tmp_path) as server:
        done, fails, waits, last = (
            server.submit(name) for name in ("quick", "fails", "wait-0", "quick")
        )
        ended([done])
        ended([fails], "failed")
        assert models() == sorted(f"jobs/{job.name}/{MODEL}" for job in (waits, last))
        last.cancel()
        assert models() == [f"jobs/{waits.name}/{MODEL}"]
        beside = server.state / "results" / f".{waits.name}.checkpoints"
        beside.mkdir()
        server.kill()
        # What ends while no server is there is removed by the next one, which goes its round first.
        server.go("wait-0")
        until(lambda: server.runs()[f"end {waits.name}"], "its end")
        server.start()
        until(lambda: not models(), "the model's removal")
        server.kill()
        server.start()
        until(lambda: not beside.exists(), "the checkpoints' removal")
        assert f"jobs/{done.name}/{LOG}" in server.files()
