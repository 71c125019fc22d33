"""What the server refuses: a clear answer that gives nothing away; nothing is left on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from distkeras.errors import AuthenticationError, ConfigError
from distkeras.job_deployment.remote import RemoteJob
from distkeras.job_deployment.submission import described, new_key
from distkeras.punchcard.checks import HDF5
from distkeras.punchcard.told import Listed, Told
from tests.punchcard.served import CONFIG, Server, ended, secret_of, state, tiny, until


def headers(user: str = "ann", **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret_of(user)}", "Idempotency-Key": new_key(), **more}


@pytest.fixture
def client(shared_server: Server) -> Iterator[httpx.Client]:
    before = shared_server.files()
    with httpx.Client(base_url=f"{shared_server.url}/api/v1", headers=headers()) as opened:
        yield opened
    assert shared_server.files() == before


def job(server: Server, **values: Any) -> dict[str, Any]:
    given = described(server.values("quick"), server.model).model_dump()
    given["trainer"] |= values.pop("trainer", {})
    given["model"] |= values.pop("model", {})
    return given | values


def refused(answer: httpx.Response, status: int, said: str = "") -> None:
    """A 4xx of one line that names no path of the server's."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.text.count("\n") == 1
    error = answer.json()
    assert list(error) == ["error"]
    assert said in error["error"]
    assert "/tmp" not in error["error"]
    assert "Traceback" not in error["error"]


def test_no_secret_and_a_wrong_one_are_the_same_everywhere(shared_server: Server) -> None:
    paths = ("jobs", "jobs/x", "jobs/x/log", "limits", "nothing", "jobs/x/results/model.keras")
    for path in paths:
        for given in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}):
            answer = httpx.get(f"{shared_server.url}/api/v1/{path}", headers=given)
            refused(answer, 401, "a secret is needed")
            assert answer.headers["www-authenticate"] == "Bearer"


def test_who_guesses_is_locked_out_and_so_is_the_right_secret_then(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        url = f"{server.url}/api/v1/jobs"
        for number in range(10):
            wrong = {"Authorization": f"Bearer wrong-{number}"}
            refused(httpx.get(url, headers=wrong, timeout=30), 401, "no such secret")
        answer = httpx.get(url, headers=headers())
        refused(answer, 429, "too many wrong secrets")
        assert 800 < int(answer.headers["retry-after"]) <= 900
        assert "wrong-3" not in server.said()


def test_a_secret_is_good_as_soon_as_it_is_in_the_file_and_no_longer(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        with pytest.raises(AuthenticationError, match="no such secret"):
            server.connection("eve").ask("GET", "jobs", Listed)
        server.users("eve")
        assert server.connection("eve").ask("GET", "jobs", Listed)["jobs"] == []
        with pytest.raises(AuthenticationError):
            server.connection("ann").ask("GET", "jobs", Listed)
        assert all(secret_of(user) not in server.said() for user in ("ann", "eve"))


def test_another_users_job_is_as_one_that_is_not_there(shared_server: Server) -> None:
    own = shared_server.submit("quick", "bob")
    ended([own])
    with httpx.Client(base_url=f"{shared_server.url}/api/v1", headers=headers("ann")) as client:
        for name in (own.name, "0123456789abcdef", "..", "%2e%2e", "%00", "a" * 64, "é"):
            base = f"jobs/{name}"
            for answer in (
                client.get(base),
                client.get(f"{base}/log"),
                client.get(f"{base}/results"),
                client.get(f"{base}/results/report.json"),
                client.post(f"{base}/cancel"),
                client.put(f"{base}/model", content=b"x"),
            ):
                if answer.status_code != 405:  # What the path has become has no such method.
                    refused(answer, 404)
        assert own.name not in client.get("jobs").text
    assert state(own) == "succeeded"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"data_path": "/etc/passwd"}, "data_path: is outside"),
        ({"data_path": "{data}/../secrets.json"}, "data_path: must be a plain path"),
        ({"data_path": "{data}/*"}, "data_path: must be a plain path"),
        ({"data_path": "{data}\n"}, "data_path: must be one line"),
        ({"data_path": "{data}\x00"}, "data_path: must be one line"),
        ({"data_path": "hdfs://namenode/data"}, "data_path: is outside"),
        ({"name": ""}, "name: "),
        ({"name": "a\nb"}, "name: "),
        ({"name": "\ud800"}, "name: "),
        ({"num_executors": 0}, "num_executors: "),
        ({"num_executors": "1"}, "num_executors: "),
        ({"num_executors": 10**400}, "num_executors"),
        ({"num_executors": 17}, "num_executors is 17, but this server allows 16"),
        ({"executor_memory_mb": 99999}, "executor_memory_mb is 99999"),
        ({"master": "spark://elsewhere:7077"}, "master: this server has local"),
        ({"code": "import os"}, "code: Extra"),
        ({"trainer": {"name": "ADAGG"}}, "did you mean 'ADAG'?"),
        ({"trainer": {"name": "os.system"}}, "unknown trainer"),
        ({"trainer": {"arguments": {"num_epochs": 1}}}, "takes no argument 'num_epochs'"),
        ({"trainer": {"arguments": {"num_epoch": -1}}}, "num_epoch is -1"),
        ({"trainer": {"arguments": {"callbacks": ["x"]}}}, "takes no argument 'callbacks'"),
        ({"trainer": {"arguments": {"custom_objects": {}}}}, "takes no argument"),
        ({"trainer": {"arguments": {"self": 1}}}, "takes no argument 'self'"),
        (
            {"trainer": {"arguments": {"loss": {"module": "os", "class_name": "system"}}}},
            "loss: 'os.system' is no part of Keras",
        ),
        ({"trainer": {"name": "DiLoCo", "arguments": {"num_workers": 9}}}, "num_workers is 9"),
        ({"model": {"bytes": 9 << 20}}, "model.bytes is 9437184, but this server allows 8388608"),
        ({"model": {"bytes": -1}}, "model.bytes: "),
        ({"model": {"sha256": "../../x"}}, "model.sha256: "),
    ],
)
def test_a_job_that_cannot_be_is_refused(
    shared_server: Server, client: httpx.Client, values: dict[str, Any], said: str
) -> None:
    if "data_path" in values:
        values = {"data_path": values["data_path"].format(data=shared_server.data)}
    text = json.dumps(job(shared_server, **values))
    answer = client.post("jobs", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    refused(answer, answer.status_code, said if answer.status_code == 422 else "")
    assert answer.status_code == 422 or "10**400" in str(values) or len(text) > 400


@pytest.mark.parametrize(
    "text", ["", "{", "nonsense", "[1]", "null", '"x"', "[" * 100_000, "\xff", '{"name": NaN}']
)
def test_what_is_no_json_is_refused(client: httpx.Client, text: str) -> None:
    content = text.encode("latin-1")
    answer = client.post("jobs", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    refused(answer, answer.status_code)


@pytest.mark.parametrize("key", ["", "short", "../../../x", "a" * 101, "a b c d e f g h"])
def test_a_submission_needs_a_key(shared_server: Server, client: httpx.Client, key: str) -> None:
    given = {"Idempotency-Key": key}
    refused(client.post("jobs", json=job(shared_server), headers=given), 422, "Idempotency-Key")


def test_a_key_is_for_one_job(shared_server: Server) -> None:
    given = headers()
    with httpx.Client(base_url=f"{shared_server.url}/api/v1", headers=given) as client:
        first = client.post("jobs", json=job(shared_server))
        again = client.post("jobs", json=job(shared_server))
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["id"] == again.json()["id"]
        refused(client.post("jobs", json=job(shared_server, name="other")), 409, "another job")
        client.post(f"jobs/{first.json()['id']}/cancel")


@pytest.mark.parametrize("wrong", [r'"\ud800"', "Infinity", "NaN"])
def test_a_key_of_another_job_with_what_json_has_not_is_no_error_of_the_servers(
    shared_server: Server, wrong: str
) -> None:
    given = headers()
    with httpx.Client(base_url=f"{shared_server.url}/api/v1", headers=given) as client:
        first = client.post("jobs", json=job(shared_server))
        text = json.dumps(job(shared_server)).replace('"num_epoch": 2', f'"num_epoch": {wrong}')
        told = {"Content-Type": "application/json"}
        again = client.post("jobs", content=text, headers=told)
        refused(again, 422, "trainer.arguments: ")
        client.post(f"jobs/{first.json()['id']}/cancel")


@pytest.mark.parametrize("query", ["most=0", "most=x", "before=0", f"before={10**30}", "most=9999"])
def test_a_query_that_cannot_be_is_refused(client: httpx.Client, query: str) -> None:
    refused(client.get(f"jobs?{query}"), 422)


def test_jobs_come_in_pages(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        names = [server.submit(f"wait-{number}").name for number in range(5)]
        connection = server.connection()
        first = connection.ask("GET", "jobs?most=3", Listed)
        rest = connection.ask("GET", f"jobs?most=3&before={first['next']}", Listed)
        told = [one["id"] for one in first["jobs"] + rest["jobs"]]
        assert told == names[::-1]
        assert rest["next"] is None


def upload(client: httpx.Client, server: Server, content: bytes, **model: Any) -> httpx.Response:
    """Says what the model is, and sends it."""
    told = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), **model}
    name = client.post("jobs", json=job(server, model=told), headers=headers()).json()["id"]
    answer = client.put(f"jobs/{name}/model", content=content)
    assert client.get(f"jobs/{name}").status_code == 404
    return answer


def test_a_model_that_is_none_is_refused_and_forgotten(
    shared_server: Server, client: httpx.Client, tmp_path: Path
) -> None:
    lambdas = {"module": "keras.layers", "class_name": "Lambda", "config": {}}
    path = tmp_path / "m.keras"
    bomb = tmp_path / "bomb.keras"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(CONFIG))
        archive.writestr("metadata.json", "{}")
        with archive.open("model.weights.h5", "w") as stream:
            stream.write(HDF5)
            for _ in range(32):
                stream.write(bytes(1 << 20))
    for content, said in (
        (tiny(path, {"layers": [lambdas]}).read_bytes(), "Lambda brings code"),
        (tiny(path, **{"../x": "y"}).read_bytes(), "and no more"),
        (bomb.read_bytes(), "unpacks to"),
        (b"cos\nsystem\n(S'touch /tmp/pickled'\ntR.", "no zip"),
        (b"x" * 5000, "no zip"),
    ):
        refused(upload(client, shared_server, content), 422, said)
    good = tiny(path).read_bytes()
    refused(upload(client, shared_server, good, sha256="0" * 64), 422, "SHA-256")
    refused(upload(client, shared_server, good, bytes=len(good) + 1), 422, "bytes, not")
    refused(upload(client, shared_server, good, bytes=len(good) - 1), 413, "more than")


def test_a_body_that_ends_too_early_leaves_nothing(shared_server: Server) -> None:
    before = shared_server.files()
    connection = shared_server.connection()
    given = {"Idempotency-Key": new_key()}
    told = connection.ask("POST", "jobs", Told, body=job(shared_server), headers=given)
    head = request(f"PUT /api/v1/jobs/{told['id']}/model", 400)
    with socket.create_connection(address(shared_server)) as half:
        half.sendall(head + b"half")
        until(lambda: len(shared_server.files()) > len(before) + 1, "the upload's file")
    until(lambda: len(shared_server.files()) <= len(before) + 1, "its removal")
    # The job waits for another attempt.
    content = shared_server.model.read_bytes()
    connection.ask("PUT", f"jobs/{told['id']}/model", Told, content=lambda: iter([content]))
    ended([RemoteJob(connection, told["id"])])


def test_two_gigabytes_are_refused_before_they_are_read(
    shared_server: Server, client: httpx.Client
) -> None:
    told = client.post("jobs", json=job(shared_server), headers=headers()).json()
    for line in ("POST /api/v1/jobs", f"PUT /api/v1/jobs/{told['id']}/model"):
        with socket.create_connection(address(shared_server), 60) as wire:
            wire.sendall(request(line, 2 << 30))
            # Nothing of the body is ever sent.
            assert wire.recv(1 << 16).startswith(b"HTTP/1.1 413 ")
    client.post(f"jobs/{told['id']}/cancel")


def test_a_body_without_a_length_is_refused_as_soon_as_it_is_too_large(
    shared_server: Server, client: httpx.Client
) -> None:
    told = client.post("jobs", json=job(shared_server), headers=headers()).json()
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 2 << 30:
            sent += 1 << 16
            yield bytes(1 << 16)

    for method, path in (("POST", "jobs"), ("PUT", f"jobs/{told['id']}/model")):
        sent = 0
        # The server may have closed the connection while we send.
        with contextlib.suppress(httpx.TransportError):
            refused(client.request(method, path, content=endless(), headers=headers()), 413)
        assert sent < 64 << 20
    assert client.get(f"jobs/{told['id']}").status_code == 404
    assert memory(shared_server) < 400 << 20


def test_what_is_not_there_is_one_line_too(shared_server: Server, client: httpx.Client) -> None:
    for path in ("nothing", "../../etc/passwd", "jobs/x/y/z"):
        refused(client.get(path), 404)
    refused(client.delete("jobs"), 405)
    for path in ("/docs", "/redoc", "/etc/passwd"):
        refused(httpx.get(f"{shared_server.url}{path}"), 404)


def test_the_openapi_document_tells_of_every_error(shared_server: Server) -> None:
    document = httpx.get(f"{shared_server.url}/openapi.json").json()
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert len(operations) == 9
    for one in operations:
        assert {"401", "404", "413", "422"} <= set(one["responses"])


def test_results_have_the_names_that_they_may_have(shared_server: Server) -> None:
    own = shared_server.submit("quick")
    ended([own])
    folder = shared_server.state / "results" / own.name
    (folder / "private.txt").write_text("x")
    base = f"{shared_server.url}/api/v1/jobs/{own.name}/results"
    assert httpx.get(base, headers=headers()).json() == {"report.json": 17}
    for name in ("private.txt", "..", "%2e%2e%2fjobs.sqlite", "model.keras", "model-1.keras.x"):
        assert httpx.get(f"{base}/{name}", headers=headers()).status_code in (404, 200)
        answer = httpx.get(f"{base}/{name}", headers=headers())
        assert answer.status_code == 404 or "private" not in answer.text
    assert httpx.get(f"{base}/report.json", headers=headers()).json() == {"name": "quick"}


def test_a_client_is_told_what_the_server_says(shared_server: Server) -> None:
    with pytest.raises(ConfigError, match=r"jobs: num_executors is 99, but this server allows 16"):
        shared_server.submit("quick", num_executors=99)


def request(line: str, length: int) -> bytes:
    given = {**headers(), "Host": "x", "Content-Length": str(length)}
    lines = [f"{line} HTTP/1.1", *(f"{key}: {value}" for key, value in given.items())]
    return ("\r\n".join([*lines, "Content-Type: application/json", "", ""])).encode()


def address(server: Server) -> tuple[str, int]:
    parsed = urlsplit(server.url)
    assert parsed.hostname is not None
    assert parsed.port is not None
    return parsed.hostname, parsed.port


def memory(server: Server) -> int:
    """Bytes that the server's process has had at most."""
    assert server.process is not None
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) << 10
