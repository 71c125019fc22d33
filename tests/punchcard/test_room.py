"""Disks that fill: a clear answer, nothing left on disk, and the server goes on."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from distkeras.job_deployment.submission import new_key
from distkeras.punchcard.job_file import job_file
from tests.punchcard.served import REPOSITORY, Server, ended, secret_of, tiny
from tests.punchcard.test_api import refused


def client(server: Server) -> httpx.Client:
    given = {"Authorization": f"Bearer {secret_of('ann')}"}
    return httpx.Client(base_url=f"{server.url}/api/v1", headers=given, timeout=60.0)


def submitted(server: Server, asking: httpx.Client, size: int = 606) -> httpx.Response:
    model = {"sha256": "0" * 64, "bytes": size}
    file = job_file(server.values("quick", model=model)).model_dump()
    return asking.post("jobs", json=file, headers={"Idempotency-Key": new_key()})


def test_an_identitys_models_have_no_more_bytes_than_they_may(tmp_path: Path) -> None:
    with Server(tmp_path, "--max-waiting-mb", "1") as server, client(server) as asking:
        first = submitted(server, asking, 600_000)
        assert first.status_code == 201
        answer = submitted(server, asking, 600_000)
        refused(answer, 429, "the models of 1 jobs that have not ended have 600000 bytes")
        assert answer.headers["retry-after"] == "60"
        assert submitted(server, asking, 300_000).status_code == 201
        # Another user's are another's; and those of jobs that have ended count no more.
        server.submit("quick", "bob")
        asking.post(f"jobs/{first.json()['id']}/cancel")
        assert submitted(server, asking, 600_000).status_code == 201


def test_some_of_the_disk_stays_free(tmp_path: Path) -> None:
    with Server(tmp_path, "--min-free-mb", str(1 << 30)) as server, client(server) as asking:
        before = server.files()
        refused(submitted(server, asking), 507, "the server's disk is full")
        assert server.files() == before
        assert asking.get("jobs").json()["jobs"] == []


def test_a_submission_that_is_sent_again_is_told_of_also_when_the_disk_is_full(
    tmp_path: Path,
) -> None:
    server = Server(tmp_path)
    model = {"sha256": "0" * 64, "bytes": 606}
    file = job_file(server.values("quick", model=model)).model_dump()
    with server:
        for options, expected in (((), 201), (("--min-free-mb", str(1 << 30)), 200)):
            server.kill()
            server.options = options
            server.start()
            with client(server) as asking:
                answer = asking.post("jobs", json=file, headers={"Idempotency-Key": "the-same"})
                assert answer.status_code == expected


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Server]:
    """A server whose files may not grow beyond a size that a test sets."""
    with Server(tmp_path) as server:
        yield server


def limit(server: Server, size: int) -> None:
    assert server.process is not None
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_model_that_there_is_no_room_for_is_refused(narrow: Server) -> None:
    model = tiny(narrow.folder / "large.keras", assets="")
    content = model.read_bytes() + bytes(1 << 20)
    with client(narrow) as asking:
        name = submitted(narrow, asking, len(content)).json()["id"]
        limit(narrow, 200_000)
        refused(asking.put(f"jobs/{name}/model", content=content), 507, "disk is full")
        assert [one for one in narrow.files() if "upload" in one or "keras" in one] == []
        limit(narrow, resource.RLIM_INFINITY)
        # It waits for another attempt.
        assert asking.get(f"jobs/{name}").json()["state"] == "submitted"
    ended([narrow.submit("quick")])


def test_a_job_that_there_is_no_room_for_is_refused(narrow: Server) -> None:
    with client(narrow) as asking:
        limit(narrow, 100)
        refused(submitted(narrow, asking), 507, "disk is full")
        limit(narrow, resource.RLIM_INFINITY)
        assert asking.get("jobs").json()["jobs"] == []
    ended([narrow.submit("quick")])


@pytest.mark.parametrize("wrong", ["--folder", "--artifacts", "--secrets"])
def test_a_server_whose_own_files_jobs_could_read_does_not_start(
    tmp_path: Path, wrong: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "x").write_text("[]")
    places = {"--folder": tmp_path / "state", "--secrets": tmp_path / "secrets.json"}
    places["--secrets"].write_text("[]")
    places |= {wrong: data / "x"}
    command = [sys.executable, "-m", "tests.punchcard.standin", "--data-root", str(data)]
    command += [word for option, place in places.items() for word in (option, str(place))]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    assert len(lines) == 1
    assert f"{data / 'x'} is the server's own" in lines[0]
