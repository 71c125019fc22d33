"""Whose turn it is, cancelling, and what a job says: real processes behind a real server."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from distkeras.errors import JobFailed
from distkeras.job_deployment.remote import RemoteJob, check_succeeded
from tests.punchcard.served import Server, alive, ended, state, until


def running(job: RemoteJob) -> None:
    until(lambda: state(job) == "running", "its turn")


def test_one_of_a_secret_runs_the_others_wait_in_order(tmp_path: Path) -> None:
    with Server(tmp_path, "--max-running", "2") as server:
        first, second, third = (server.submit(f"wait-{number}") for number in range(3))
        other = server.submit("wait-other", "bob")
        running(first)
        running(other)
        assert [state(job) for job in (second, third)] == ["queued", "queued"]
        server.go("wait-1")
        server.go("wait-0")
        ended([first, second])
        running(third)
        for name in ("wait-2", "wait-other"):
            server.go(name)
        ended([third, other])
        lines = (server.state / "runs.txt").read_text().splitlines()
        mine = [line for line in lines if not line.endswith(other.name)]
        assert mine == [
            f"{what} {job.name}" for job in (first, second, third) for what in ("begin", "end")
        ]


def test_no_more_run_than_may_whoever_they_are_of(tmp_path: Path) -> None:
    with Server(tmp_path, "--max-running", "1") as server:
        first, second = server.submit("wait-0"), server.submit("quick", "bob")
        running(first)
        assert state(second) == "queued"
        server.go("wait-0")
        ended([first, second])


def test_a_job_whose_folder_cannot_be_read_keeps_nobody_waiting(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        odd = server.submit("wait-odd")
        running(odd)
        folder = server.state / "jobs" / odd.name
        aside = server.state / "aside"
        folder.rename(aside)
        folder.touch()
        ended([server.submit("quick", "bob")])
        assert state(odd) == "running"
        folder.unlink()
        aside.rename(folder)
        server.go("wait-odd")
        ended([odd])
        assert f"job {odd.name}: " in server.said()


def test_what_waits_and_what_runs_is_cancelled_with_all_its_processes(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        deaf = server.submit("stubborn")
        waits = server.submit("quick")
        # The shell, a Python in a process group of its own, and the launcher.
        until(lambda: len(list(alive(server.sessions()))) >= 3, "its processes")
        until(lambda: "deaf" in "".join(deaf.log(follow=False)), "its deafness")
        assert waits.cancel()["state"] == "cancelled"
        begun = time.monotonic()
        assert deaf.cancel()["cancelling"]
        ended([deaf, waits], "cancelled")
        assert time.monotonic() - begun < 10
        assert list(alive(server.sessions())) == []
        assert f"begin {waits.name}" not in server.runs()
        for job in (deaf, waits):
            assert job.cancel()["state"] == "cancelled"
            with pytest.raises(JobFailed, match="was cancelled"):
                check_succeeded(job.told())
        ended([server.submit("quick")])


def test_a_job_that_fails_says_why_and_the_next_one_runs(shared_server: Server) -> None:
    fails = shared_server.submit("fails")
    ended([fails], "failed")
    with pytest.raises(JobFailed, match=r"\(fails\) has failed: the column is missing"):
        fails.fetch(shared_server.folder / "results")
    ended([shared_server.submit("quick")])


def test_a_log_is_followed_to_its_end(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        job = server.submit("wait-0")
        running(job)
        pieces = job.log(follow=True)
        assert next(pieces) == "this is wait-0\n"
        server.go("wait-0")
        assert list(pieces) == []
        assert state(job) == "succeeded"


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with Server(tmp_path, "--max-seconds", "1") as server:
        job = server.submit("wait-forever")
        ended([job], "failed")
        assert "longer than the 1 s" in job.told()["error"]
        assert list(alive(server.sessions())) == []


def test_results_are_fetched_into_a_folder(shared_server: Server, tmp_path: Path) -> None:
    job = shared_server.submit("quick")
    ended([job])
    found = job.fetch(tmp_path / "new" / "folder")
    assert [path.name for path in found] == ["report.json"]
    assert found[0].read_text() == '{"name": "quick"}'
