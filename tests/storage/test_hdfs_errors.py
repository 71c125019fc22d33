"""What answers mean that the HDFS of the tests cannot be made to give."""

from __future__ import annotations

import json

import pytest
import requests

from distkeras.storage.hdfs_errors import refusal, without_secrets


def answer(status: int, body: bytes) -> requests.Response:
    response = requests.Response()
    response.status_code, response._content = status, body
    return response


def remote(java: str, message: str) -> bytes:
    return json.dumps({"RemoteException": {"exception": java, "message": message}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "reason", "again"),
    [
        (403, remote("StandbyException", "Operation category READ"), "on standby", True),
        (403, remote("RetriableException", "Namenode is in startup mode"), "startup mode", True),
        (
            403,
            remote("SecurityException", "Failed to obtain user: InvalidToken: (t) is expired"),
            "delegation token is not valid, or has expired: put a new one into token_file",
            False,
        ),
        (403, remote("InvalidToken", "can't be found in cache"), "is not valid", False),
        (
            403,
            remote("IOException", "File /x could only be written to 0 of the 1 minReplication "
                   "nodes. There are 2 datanode(s) running and 2 node(s) are excluded"),
            "no DataNode has room for it, or none answers (There are 2 datanode(s) running",
            True,
        ),
        (403, remote("IOException", "All datanodes [a] are bad. Aborting..."), "broke off", True),
        (403, remote("NullPointerException", ""), "NullPointerException", False),
        (400, remote("IllegalArgumentException", "Bad\n\tat org.x(Y.java:1)"), "Bad", False),
        (401, b"<html>", "it asks who you are (HTTP 401)", False),
        (403, b"<html><title>Error 403\n GSSException</title>", "403): Error 403 GSS", False),
        (503, b"", "the server failed (HTTP 503)", True),
        (404, b"<html>", "what answers there is not WebHDFS (HTTP 404)", False),
        (200, b"[]", "not WebHDFS (HTTP 200)", False),
        (404, b'{"RemoteException": 1}', "not WebHDFS", False),
    ],
)  # fmt: skip
def test_refusals(status: int, body: bytes, reason: str, again: bool) -> None:
    refused = refusal(answer(status, body))
    assert reason in refused.reason
    assert refused.again is again
    assert "\n" not in refused.reason


def test_tokens_are_made_unreadable() -> None:
    text = "PUT /webhdfs/v1/x?op=CREATE&delegation=abc-DEF_1&offset=0"
    assert without_secrets(text) == "PUT /webhdfs/v1/x?op=CREATE&delegation=***&offset=0"
    again = refusal(answer(403, remote("IOException", f"at {text}")))
    assert "abc" not in again.reason
