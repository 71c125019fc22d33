"""The server is killed, or the jobs' processes are: nothing is lost, and nothing done twice."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from distkeras.job_deployment.remote import RemoteJob
from distkeras.punchcard.launcher import members, signal_members
from tests.punchcard.served import Server, alive, ended, state, until


def again(server: Server, job: RemoteJob, user: str = "ann") -> RemoteJob:
    """The job, asked of the server that listens at another port now."""
    return RemoteJob(server.connection(user), job.name)


def test_a_server_that_was_killed_finds_its_jobs_again(tmp_path: Path) -> None:
    with Server(tmp_path, "--max-running", "2") as server:
        done = server.submit("quick")
        ended([done])
        runs, waits, last = (server.submit(f"wait-{number}") for number in range(3))
        other = server.submit("wait-other", "bob")
        for job in (runs, other):
            until(lambda job=job: server.runs()[f"begin {job.name}"], "its begin")
        server.kill()
        # One goes on and ends while no server is there, the other after the next has come.
        assert len(list(alive(server.sessions()))) >= 4
        server.go("wait-0")
        until(lambda: server.runs()[f"end {runs.name}"], "an end that no server sees")
        server.start()
        runs, waits, last, done = (again(server, job) for job in (runs, waits, last, done))
        other = again(server, other, "bob")
        ended([runs])
        assert state(other) == "running"
        until(lambda: state(waits) == "running", "the next one's turn")
        assert state(last) == "queued"
        for name in ("wait-1", "wait-2", "wait-other"):
            server.go(name)
        ended([waits, last, other, done])
        jobs = [done, runs, waits, last, other]
        assert server.runs() == {
            f"{what} {job.name}": 1 for job in jobs for what in ("begin", "end")
        }
        assert [path.name for path in done.fetch(tmp_path / "fetched")] == ["report.json"]


def test_a_job_that_was_killed_with_the_server_runs_again_once(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        job = server.submit("wait-0")
        until(lambda: server.runs()[f"begin {job.name}"], "its begin")
        server.kill()
        for session in server.sessions():
            signal_members(members(session), signal.SIGKILL)
        until(lambda: not list(alive(server.sessions())), "the end of all")
        server.start()
        job = again(server, job)
        until(lambda: server.runs()[f"begin {job.name}"] == 2, "its second begin")
        assert job.told()["attempt"] == 2
        server.go("wait-0")
        ended([job])
        assert server.runs() == {f"begin {job.name}": 2, f"end {job.name}": 1}


def test_a_launcher_that_is_killed_leaves_nothing_that_runs_beside_the_next(
    tmp_path: Path,
) -> None:
    with Server(tmp_path) as server:
        job = server.submit("wait-0")
        for count in (1, 2):
            until(lambda count=count: server.runs()[f"begin {job.name}"] == count, "a begin")
            file = server.state / "jobs" / job.name / f"process-{count}.json"
            os.kill(json.loads(file.read_text())["pid"], signal.SIGKILL)
        ended([job], "failed")
        assert job.told()["error"] == "its processes vanished 2 times"
        assert list(alive(server.sessions())) == []


def test_a_cancel_survives_the_server(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        job = server.submit("stubborn")
        until(lambda: "deaf" in "".join(job.log(follow=False)), "its deafness")
        assert job.cancel()["cancelling"]
        server.kill()
        server.start()
        ended([again(server, job)], "cancelled")
        assert list(alive(server.sessions())) == []


def test_a_job_that_was_to_begin_begins(tmp_path: Path) -> None:
    """Killed between the word that it begins and its beginning."""
    server = Server(tmp_path)
    with server:
        job = server.submit("wait-0")
        until(lambda: server.runs()[f"begin {job.name}"], "its begin")
        server.kill()
        for session in server.sessions():
            signal_members(members(session), signal.SIGKILL)
        (server.state / "jobs" / job.name / "process-1.json").unlink()
        server.go("wait-0")
        server.start()
        job = again(server, job)
        ended([job])
        assert job.told()["attempt"] == 1


def test_what_was_half_uploaded_is_removed(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        job = server.submit("quick")
        ended([job])
        server.kill()
        (server.state / "jobs" / job.name / ".upload-1234").write_bytes(b"half")
        (server.state / "jobs" / "of-no-job").mkdir()
        server.start()
        found = server.files()
        assert not [name for name in found if "upload" in name or "of-no-job" in name]
        assert f"jobs/{job.name}/log.txt" in found


def test_a_server_that_is_told_to_end_leaves_its_jobs_alone(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        job = server.submit("wait-0")
        until(lambda: server.runs()[f"begin {job.name}"], "its begin")
        server.kill(signal.SIGTERM)
        assert list(alive(server.sessions()))
        server.start()
        server.go("wait-0")
        ended([again(server, job)])
        assert server.runs()[f"begin {job.name}"] == 1
