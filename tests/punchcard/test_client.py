"""What the client says of a server that it cannot reach or trust, and the command line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from distkeras.errors import ServiceError
from distkeras.job_deployment.connection import Connection, Patience
from distkeras.job_deployment.remote import RemoteJob
from distkeras.job_deployment.submission import described, send
from tests.punchcard.served import REPOSITORY, Server, ended, secret_of, until
from tests.storage.wire import Wire
from tests.transport.test_tls import Issuer

SHORT = Patience(connect=0.5, answer=0.5, deadline=1.0)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_server_that_is_not_there_is_told_in_a_line_with_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ServiceError, match=rf"127.0.0.1:{port}/api/v1/jobs: .*refused; \d+ att"):
        Connection(f"http://127.0.0.1:{port}", "secret", patience=SHORT).ask("GET", "jobs")


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(silent: int) -> None:
    with pytest.raises(ServiceError, match=r"timed out; \d+ attempts in "):
        Connection(f"http://127.0.0.1:{silent}", "secret", patience=SHORT).ask("GET", "jobs")


def test_a_download_that_breaks_is_begun_anew(shared_server: Server, tmp_path: Path) -> None:
    job = shared_server.submit("quick")
    ended([job])
    host, port = shared_server.url.removeprefix("http://").split(":")
    with Wire(host, int(port)) as wire:
        connection = Connection(f"http://{host}:{wire.port}", secret_of("ann"))
        wire.cut = 100
        path = f"jobs/{job.name}/results/report.json"
        connection.download(path, tmp_path / "report.json", 17)
        assert wire.cut is None
    assert (tmp_path / "report.json").read_text() == '{"name": "quick"}'


def test_another_server_than_ours_is_told_of(shared_server: Server) -> None:
    connection = Connection(f"{shared_server.url}/elsewhere", secret_of("ann"))
    with pytest.raises(ValueError, match="Not Found"):
        connection.ask("GET", "jobs")


def test_tls_is_spoken_and_a_certificate_that_is_not_trusted_ends_it_at_once(
    tmp_path: Path,
) -> None:
    issuer = Issuer(tmp_path, "authority")
    own = issuer.issue("localhost")
    options = ("--host", "localhost", "--tls-certificate", str(own.certificate))
    with Server(tmp_path, *options, "--tls-key", str(own.key)) as server:
        assert server.url.startswith("https://localhost:")
        trusting = Connection(server.url, secret_of("ann"), str(issuer.certificate))
        assert trusting.ask("GET", "jobs")["jobs"] == []
        with pytest.raises(ServiceError, match=r"CERTIFICATE_VERIFY_FAILED.*authority= names"):
            Connection(server.url, secret_of("ann")).ask("GET", "jobs")
        plain = server.url.replace("https", "http")
        with pytest.raises(ServiceError):
            Connection(plain, secret_of("ann"), patience=SHORT).ask("GET", "jobs")
        assert "unencrypted" not in server.said()


def test_a_job_whose_answer_was_lost_is_the_same_when_it_is_sent_again(
    shared_server: Server,
) -> None:
    host, port = shared_server.url.removeprefix("http://").split(":")
    with Wire(host, int(port)) as wire:
        connection = Connection(f"http://{host}:{wire.port}", secret_of("ann"))
        job = described(shared_server.values("quick"), shared_server.model)
        wire.lose = b"/model"
        name = send(connection, job, shared_server.model, "a-key-of-mine")
        assert wire.lose is None
        wire.lose = b"POST /api/v1/jobs"
        assert send(connection, job, shared_server.model, "a-key-of-mine") == name
        assert wire.lose is None
        ended([RemoteJob(connection, name)])
    assert shared_server.runs()[f"begin {name}"] == 1


def distkeras(
    server: Server, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    known = {**os.environ, "PYTHONPATH": str(REPOSITORY), **environment}
    command = [sys.executable, "-m", "distkeras", *arguments]
    return subprocess.run(
        command, cwd=server.folder, env=known, capture_output=True, text=True, check=False
    )


def test_the_command_line_submits_watches_and_fetches(shared_server: Server) -> None:
    folder = shared_server.folder
    (folder / "mine.secret").write_text(f"{secret_of('bob')}\n")
    (folder / "job.toml").write_text(
        'name = "quick from a file"\n'
        f'data_path = "{shared_server.data}"\n'
        'model = "tiny.keras"\n'
        "[trainer]\n"
        'name = "ADAG"\n'
        "[trainer.arguments]\n"
        "num_epoch = 2\n"
    )
    options = ("--url", shared_server.url, "--secret-file", "mine.secret")
    ran = distkeras(shared_server, "jobs", "submit", "job.toml", "--wait", *options)
    assert ran.returncode == 0, ran.stderr
    name = ran.stdout.strip()
    assert "quick from a file: succeeded" in ran.stderr
    known = {"DISTKERAS_PUNCHCARD": shared_server.url, "DISTKERAS_SECRET": secret_of("bob")}
    listed = distkeras(shared_server, "jobs", "list", **known).stdout.splitlines()
    assert listed[0].split()[0] == name
    assert listed[0].endswith("succeeded   ADAG              quick from a file")
    shown = distkeras(shared_server, "jobs", "show", name, **known).stdout
    assert "state      succeeded" in shown
    assert distkeras(shared_server, "jobs", "logs", name, **known).stdout.startswith("this is")
    fetched = distkeras(shared_server, "jobs", "fetch", name, "--to", "there", **known)
    assert fetched.stdout == "there/report.json\n"
    assert json.loads((folder / "there" / "report.json").read_text())["name"] == "quick from a file"


def test_a_reader_that_has_gone_and_a_folder_that_cannot_be_are_no_tracebacks(
    shared_server: Server,
) -> None:
    job = shared_server.submit("quick", "bob")
    ended([job])
    known = {"DISTKERAS_PUNCHCARD": shared_server.url, "DISTKERAS_SECRET": secret_of("bob")}
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        command = [sys.executable, "-m", "distkeras", "jobs", "list"]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **known}
        listed = subprocess.run(
            command, env=environment, stdout=gone, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (listed.returncode, listed.stderr) == (141, "")
    file = str(shared_server.folder / "secrets.json")
    done = distkeras(shared_server, "jobs", "fetch", job.name, "--to", file, **known)
    assert (done.returncode, done.stderr) == (1, f"ERROR: {file}: File exists\n")


def test_the_command_line_cancels(shared_server: Server) -> None:
    job = shared_server.submit("wait-for-ever", "bob")
    until(lambda: job.told()["state"] == "running", "its turn")
    known = {"DISTKERAS_PUNCHCARD": shared_server.url, "DISTKERAS_SECRET": secret_of("bob")}
    ran = distkeras(shared_server, "jobs", "cancel", job.name, **known)
    assert ran.stdout == f"{job.name}: cancelled\n", ran.stderr
    fetched = distkeras(shared_server, "jobs", "fetch", job.name, **known)
    assert fetched.returncode == 1
    assert fetched.stderr == f"ERROR: job {job.name} (wait-for-ever) was cancelled\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list",), "which server? Give --url, or set DISTKERAS_PUNCHCARD"),
        (("list", "--url", "{url}"), "no secret: give --secret-file, or set DISTKERAS_SECRET"),
        (("list", "--url", "{url}", "--secret-file", "none"), "--secret-file none: No such file"),
        (("show", "x/../y", "--url", "{url}", "--secret-file", "s"), "'x/../y' is no job's id"),
        (("show", "0123", "--url", "{url}", "--secret-file", "s"), "there is no such job"),
        (("submit", "none.toml", "--url", "{url}", "--secret-file", "s"), "none.toml: cannot be"),
        (("submit", "b.toml", "--url", "{url}", "--secret-file", "s"), "b.toml: model: must be"),
    ],
)
def test_the_command_line_says_in_a_line_what_is_wrong(
    shared_server: Server, arguments: tuple[str, ...], said: str
) -> None:
    (shared_server.folder / "s").write_text(secret_of("ann"))
    (shared_server.folder / "b.toml").write_text('name = "x"\n')
    given = [one.format(url=shared_server.url) for one in arguments]
    ran = distkeras(shared_server, "jobs", *given)
    assert ran.returncode == 1
    assert ran.stderr.startswith("ERROR: ")
    assert ran.stderr.count("\n") == 1
    assert said in ran.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--data-root", "/nowhere"], "--data-root /nowhere: is no folder"),
        (["--trainer", "os:system"], "--trainer os:system: is no class of trainers"),
        (["--trainer", "nowhere:X"], "--trainer nowhere:X: No module named 'nowhere'"),
        (["--tls-key", "key.pem"], "--tls-certificate and --tls-key: give both or none"),
        (["--tls-key", "k.pem", "--tls-certificate", "c.pem"], "c.pem, k.pem: No such file"),
        (["--host", "192.0.2.1"], "192.0.2.1:0: cannot listen there"),
    ],
)
def test_a_server_that_cannot_start_says_why(tmp_path: Path, options: list[str], said: str) -> None:
    server = Server(tmp_path, *options)
    with pytest.raises(AssertionError):
        server.start()
    server.kill()
    assert said in server.said()
    assert "Traceback" not in server.said()


def test_a_key_that_somebody_would_have_to_unlock_is_refused(tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    locked.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    server = Server(tmp_path, "--tls-key", str(locked), "--tls-certificate", str(locked))
    with pytest.raises(AssertionError):
        server.start()
    server.kill()
    assert f"--tls-key {locked}: is encrypted" in server.said()
    assert "Traceback" not in server.said()


def test_a_server_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from distkeras.punchcard.command import main\n"
        "sys.exit(main(['--secrets', 'x', '--data-root', '.']))"
    )
    known = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(
        command, cwd=tmp_path, env=known, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr == "ERROR: fastapi is missing: pip install 'distkeras[punchcard]'\n"


def test_a_folder_has_one_server(shared_server: Server) -> None:
    other = Server(shared_server.folder)
    with pytest.raises(AssertionError):
        other.start()
    other.kill()
    assert "another Punchcard server has this folder" in other.said()
