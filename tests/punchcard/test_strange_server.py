"""What a client does with the answers of a server that is broken, or none of ours."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distkeras.errors import ConfigError, ServiceError, StorageError
from distkeras.job_deployment import Job
from distkeras.job_deployment import connection as module
from distkeras.job_deployment.connection import Connection, Patience
from distkeras.job_deployment.remote import RemoteJob
from distkeras.job_deployment.submission import described
from distkeras.punchcard.told import Listed
from distkeras.trainers import ADAG
from tests.punchcard.served import tiny

SHORT = Patience(connect=0.2, answer=0.2, deadline=0.3)
#: Of a job that waits.
TOLD: dict[str, Any] = {
    **{"id": "1", "name": "a", "trainer": "ADAG", "data_path": "/data", "state": "queued"},
    **{"cancelling": False, "attempt": 0, "error": None},
    **{"submitted": 1.8e9, "started": None, "ended": None},
}


def connected(answer: Callable[[httpx.Request], httpx.Response]) -> Connection:
    """To a server that answers so, without a network."""
    connection = Connection("http://127.0.0.1:1", "secret", patience=SHORT)
    headers = connection._client.headers
    connection._client = httpx.Client(transport=httpx.MockTransport(answer), headers=headers)
    return connection


def with_results(sizes: dict[str, int], content: bytes = b"") -> RemoteJob:
    def answer(request: httpx.Request) -> httpx.Response:
        last = request.url.path.rpartition("/")[2]
        if last == "results":
            return httpx.Response(200, json=sizes)
        told = {**TOLD, "state": "succeeded"}
        return (
            httpx.Response(200, json=told)
            if last == "1"
            else httpx.Response(200, stream=httpx.ByteStream(content))
        )

    return RemoteJob(connected(answer), "1")


@pytest.mark.parametrize("name", ["setup.py", "Makefile", "../x", ".netrc", "model.keras.py"])
def test_a_server_names_no_file_of_the_users(tmp_path: Path, name: str) -> None:
    (tmp_path / "setup.py").write_text("mine")
    with pytest.raises(ServiceError, match="offers a result named"):
        with_results({name: 5}, b"wrong").fetch(tmp_path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("setup.py", "mine")]


@pytest.mark.parametrize("content", [b"half", b"far too much", b""])
def test_a_result_that_did_not_come_whole_leaves_what_was_there(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "report.json").write_text("of before")
    with pytest.raises(ServiceError, match="bytes came of 5"):
        with_results({"report.json": 5}, content).fetch(tmp_path)
    assert [one.read_text() for one in tmp_path.iterdir()] == ["of before"]
    with_results({"report.json": 5}, b"whole").fetch(tmp_path)
    assert [one.read_text() for one in tmp_path.iterdir()] == ["whole"]


def test_a_model_that_brings_code_is_not_loaded(tmp_path: Path) -> None:
    layers = {"layers": [{"module": "keras.layers", "class_name": "Lambda", "config": {}}]}
    content = tiny(tmp_path / "wrong.keras", layers).read_bytes()
    for name in ("model.keras", "model-3.keras"):
        for wrong, said in ((content, "Lambda brings code"), (b"x" * 100, "no zip")):
            job = Job("secret", "a", "/data", 1, 1, ADAG(None))
            job._remote = with_results({name: len(wrong)}, wrong)
            with pytest.raises(StorageError, match=rf"^{name}: model: .*{said}"):
                job.get_trained_model()


def parquet() -> bytes:
    written = pa.BufferOutputStream()
    pq.write_table(pa.table({"samples": [1], "other": [2]}), written)
    content: bytes = written.getvalue().to_pybytes()
    return content


@pytest.mark.parametrize("content", [b"x" * 100, b"PAR1" + bytes(92) + b"PAR1", parquet(), b""])
def test_a_history_that_is_none_is_told_of_in_a_line(content: bytes) -> None:
    name = "history.parquet" if content else "report.json"
    job = Job("secret", "a", "/data", 1, 1, ADAG(None))
    job._remote = with_results({name: len(content)}, content)
    with pytest.raises(StorageError, match=r"^history\.parquet: is no history: [^\n]+$"):
        job.get_history()


def test_a_secret_does_not_follow_to_where_a_server_points(tmp_path: Path) -> None:
    asked = []

    def elsewhere(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": "http://elsewhere/"})

    with pytest.raises(ServiceError, match="HTTP 302"):
        connected(elsewhere).ask("GET", "jobs", Listed)
    assert asked == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        (b"[]", "", "no Punchcard server: the answer: Input should be a valid dict"),
        (b"null", "", "no Punchcard server: the answer: Input should be a valid dict"),
        (b"[" * 200_000, "", "no Punchcard server: no JSON"),
        (b"<html>", "", "no Punchcard server: no JSON"),
        (b"{}", "", "no Punchcard server: id: Field required"),
        (b"{}", "gzip", "incorrect header"),
    ],
)
def test_what_is_none_of_our_answers_is_told_of_in_a_line(
    content: bytes, encoding: str, said: str
) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(content))

    with pytest.raises(ServiceError, match=said):
        list(RemoteJob(connected(answer), "1").states(None))


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"state": 3}, "state"),
        ({"cancelling": []}, "cancelling"),
        ({"submitted": 1e300}, "submitted"),
        ({"started": "soon"}, "started"),
        ({"progress": {"phase": "train"}}, "progress.epoch"),
        ({"progress": [1]}, "progress"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_of_in_a_line(wrong: dict[str, Any], where: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=TOLD | wrong)

    with pytest.raises(ServiceError, match=rf"no Punchcard server: {where}: [^\n]+$"):
        RemoteJob(connected(answer), "1").told()


@pytest.mark.parametrize(
    "sizes", [{"report.json": -1}, {"report.json": "5 kB"}, {"report.json": None}]
)
def test_a_size_that_is_none_is_told_of_in_a_line(tmp_path: Path, sizes: dict[str, Any]) -> None:
    with pytest.raises(ServiceError, match=r"no Punchcard server: report\.json: "):
        with_results(sizes).fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://cluster:8000", True),
        ("http://127.0.0.1.elsewhere:8000", True),
        ("https://cluster:8000", False),
        ("http://127.0.0.1:8000", False),
        ("http://localhost", False),
        ("http://[::1]:8000", False),
    ],
)
def test_a_secret_that_would_travel_unencrypted_is_warned_of(
    url: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "distkeras"):
        Connection(url, "tell-nobody").close()
    assert ("unencrypted" in caplog.text) == warned
    assert "tell-nobody" not in caplog.text


@pytest.mark.parametrize("value", [float("inf"), float("nan"), date(2024, 1, 1), {1, 2}])
def test_what_json_cannot_say_is_refused_before_it_is_sent(tmp_path: Path, value: object) -> None:
    trainer = {"name": "ADAG", "arguments": {"loss_weights": [value]}}
    values = {"name": "a", "data_path": "/data", "trainer": trainer}
    with pytest.raises(ConfigError, match=r"^trainer\.arguments: "):
        described(values, tiny(tmp_path / "m.keras"))


def test_who_is_tried_for_long_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_SILENT", 0.0)
    monkeypatch.setattr(module, "_FIRST", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    nobody = Connection(url, "secret", patience=Patience(deadline=0.5))
    with caplog.at_level(logging.WARNING, "distkeras"), pytest.raises(ServiceError):
        nobody.ask("GET", "jobs", Listed)
    (told,) = (record.getMessage() for record in caplog.records)
    assert told.startswith(f"GET {url}/api/v1/jobs: ")
    assert told.endswith("Connection refused; tried again, for 0.5 s at most")
