"""A submission that is kept beside what it is to become."""

from __future__ import annotations

from pathlib import Path

import pytest

from distkeras.errors import StorageError
from distkeras.job_deployment.kept import Kept, KeptSubmission
from distkeras.job_deployment.submission import described, new_key
from tests.punchcard.served import Server, ended, tiny


def keep(server: Server, folder: Path, name: str = "quick") -> Kept:
    model = tiny(folder.parent / f"{name}.keras")
    job = described(server.values(name), model)
    return KeptSubmission(folder).keep(server.url, new_key(), job, model)


def test_whoever_sends_it_and_however_often_it_is_one_job(
    shared_server: Server, tmp_path: Path
) -> None:
    folder = tmp_path / ".result.job"
    assert KeptSubmission(folder).read() is None
    first = keep(shared_server, folder)
    second = keep(shared_server, folder, "late")
    assert second == first == KeptSubmission(folder).read()
    job = first.send(shared_server.connection())
    assert second.send(shared_server.connection()).name == job.name
    ended([job])
    assert list(job.results()) == ["report.json"]
    again = first.send(shared_server.connection())
    assert (again.name, again.told()["state"]) == (job.name, "succeeded")


def test_what_is_no_submission_is_named(shared_server: Server, tmp_path: Path) -> None:
    folder = tmp_path / ".result.job"
    keep(shared_server, folder)
    (folder / "job.json").write_text('{"server": "x", "key": "y", "job": {"name": 1}}')
    with pytest.raises(StorageError, match=r"job\.json: is no submission: name: "):
        KeptSubmission(folder).read()
    (folder / "job.json").unlink()
    with pytest.raises(StorageError, match=r"job\.json"):
        KeptSubmission(folder).read()
