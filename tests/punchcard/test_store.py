from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from distkeras.errors import StorageError
from distkeras.punchcard.job_file import job_file
from distkeras.punchcard.jobs import Submission
from distkeras.punchcard.store import ConflictError, Share, Store, TooManyError
from tests.linear import in_threads

TEN = Share(10, 1 << 40)


def wanted(key: str = "key-0", identity: str = "ann", name: str = "a", size: int = 1) -> Submission:
    model = {"sha256": "0" * 64, "bytes": size}
    given = {"name": name, "data_path": "/d", "trainer": {"name": "ADAG"}, "model": model}
    return Submission(identity, "s", key, job_file(given))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "jobs.sqlite") as opened:
        yield opened


def test_a_submission_is_one_job_however_often_it_comes(store: Store) -> None:
    first, added = store.submit(wanted(), TEN)
    again, added_again = store.submit(wanted(), TEN)
    other, _ = store.submit(wanted(identity="bob"), TEN)
    assert (added, added_again) == (True, False)
    assert again == first != other
    with pytest.raises(ConflictError):
        store.submit(wanted(name="b"), TEN)


def test_it_is_one_job_when_it_comes_many_times_at_once(store: Store) -> None:
    found = []
    in_threads(
        16, lambda number: found.append(store.submit(wanted(f"key-{number % 4}"), Share(99, 99)))
    )
    assert sum(added for _, added in found) == 4
    assert len({job.id for job, _ in found}) == 4


def test_an_identity_has_no_more_than_it_may(store: Store) -> None:
    jobs = [store.submit(wanted(f"key-{number}"), Share(3, 99))[0] for number in range(3)]
    with pytest.raises(TooManyError):
        store.submit(wanted("key-3"), Share(3, 99))
    store.submit(wanted("key-3", "bob"), Share(3, 99))
    store.cancel(jobs[0].id)
    store.submit(wanted("key-3"), Share(3, 99))


def test_a_table_that_another_program_keeps_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distkeras.punchcard.store.BUSY", 0.1)
    path = tmp_path / "kept.sqlite"
    with Store(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="the table of jobs: database is locked"):
            store.submit(wanted(), TEN)
        other.execute("ROLLBACK")
        assert store.submit(wanted(), TEN)[1]


def test_a_job_goes_forward_only(store: Store) -> None:
    name = store.submit(wanted(), TEN)[0].id
    assert not store.begin(name)
    assert store.queue(name)
    assert not store.queue(name)
    assert not store.remove(name)
    assert store.begin(name)
    assert not store.begin(name)
    assert store.begin_again(name)
    assert store.end(name, "succeeded")
    for late in (store.end(name, "failed"), store.cancel(name), store.begin_again(name)):
        assert not late
    job = store.job(name)
    assert job is not None
    assert (job.state, job.attempt, job.error) == ("succeeded", 2, None)
    assert job.submitted <= job.started <= job.ended


def test_what_waits_is_cancelled_and_what_runs_is_to_be(store: Store) -> None:
    waits, runs = (store.submit(wanted(f"key-{number}"), TEN)[0].id for number in range(2))
    for name in (waits, runs):
        store.queue(name)
    store.begin(runs)
    assert store.cancel(waits)
    assert store.cancel(runs)
    found = [store.job(name) for name in (waits, runs)]
    assert [(one.state, one.cancelling) for one in found] == [("cancelled", 1), ("running", 1)]
    assert [job.id for job in store.live()] == [runs]


def test_it_is_there_when_it_is_opened_again_and_in_order(tmp_path: Path) -> None:
    with Store(tmp_path / "jobs.sqlite") as store:
        new = [wanted(f"key-{number}")._replace(secret=f"s{number}") for number in range(5)]
        names = [store.submit(one, TEN)[0].id for one in new]
        for name in reversed(names):
            store.queue(name)
    with Store(tmp_path / "jobs.sqlite") as store:
        assert [job.id for job in store.live()] == names
        assert [job.id for job in store.of("ann", 2**62, 2)] == [names[4], names[3]]
        assert [job.id for job in store.of("ann", 4, 9)] == [names[2], names[1], names[0]]
        assert store.forgotten(time.time() + 1) == []


def test_of_what_waits_the_first_of_each_secret_is_live(store: Store) -> None:
    new = [wanted(f"key-{number}")._replace(secret="ab"[number % 2]) for number in range(6)]
    names = [store.submit(one, TEN)[0].id for one in new]
    for name in names[1:]:
        store.queue(name)
    assert [job.id for job in store.live()] == names[1:3]
    store.begin(names[1])
    store.cancel(names[2])
    assert [job.id for job in store.live()] == [names[1], names[3], names[4]]


def test_a_commit_that_fails_leaves_nothing_and_does_not_stop_the_next(store: Store) -> None:
    # What is asked for at the end only, as room on the disk is.
    store._database.executescript(
        "PRAGMA foreign_keys = ON; CREATE TABLE known (n PRIMARY KEY);"
        "CREATE TABLE uses (n REFERENCES known DEFERRABLE INITIALLY DEFERRED);"
        "CREATE TRIGGER used AFTER INSERT ON jobs BEGIN INSERT INTO uses VALUES (1); END"
    )
    with pytest.raises(sqlite3.IntegrityError):
        store.submit(wanted(), TEN)
    store._database.execute("DROP TRIGGER used")
    assert store.submit(wanted(), TEN)[1]


def test_nobody_else_may_read_it(store: Store, tmp_path: Path) -> None:
    store.submit(wanted(), TEN)
    found = {one.name: one.stat().st_mode & 0o077 for one in tmp_path.iterdir()}
    assert found == dict.fromkeys(("jobs.sqlite", "jobs.sqlite-shm", "jobs.sqlite-wal"), 0)


def test_what_is_no_table_of_jobs_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(StorageError, match=r"jobs\.sqlite: file is not a database"):
        Store(tmp_path / "jobs.sqlite")
    with pytest.raises(StorageError, match="unable to open"):
        Store(tmp_path / "not there" / "jobs.sqlite")


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    name = store.submit(wanted(), TEN)[0].id

    def half() -> None:
        with store._transaction() as database:
            database.execute("UPDATE jobs SET state = 'failed'")
            database.execute("nonsense")

    with pytest.raises(sqlite3.Error):
        half()
    assert store.job(name).state == "submitted"
    assert store.queue(name)
