"""A browser's side of the page, without a browser: signing in, and the stream of news."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.punchcard.served import Server, secret_of

#: What a browser says of a request of the page itself.
OURS = {"Sec-Fetch-Site": "same-origin"}


def sign_in(server: Server, user: str = "ann", **headers: str) -> httpx.Response:
    form = {"secret": secret_of(user)}
    return httpx.post(f"{server.url}/session", data=form, headers=headers or OURS, timeout=30)


@contextmanager
def signed_in(server: Server, user: str = "ann") -> Iterator[httpx.Client]:
    """A browser whose user has signed in."""
    answer = sign_in(server, user)
    assert answer.status_code == 303, answer.text
    cookies = dict(answer.cookies)
    with httpx.Client(base_url=server.url, headers=OURS, cookies=cookies, timeout=30) as client:
        yield client


def refused(answer: httpx.Response, status: int, said: str) -> None:
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]


#: Kind, data, id.
Event = tuple[str, Any, str | None]


@contextmanager
def listening(
    server: Server, user: str = "ann", query: str = "", **headers: str
) -> Iterator[Iterator[Event]]:
    """The news of a user who has signed in."""
    with (
        signed_in(server, user) as client,
        client.stream("GET", f"/session/events{query}", headers=headers) as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        yield events(stream)


def events(answer: httpx.Response) -> Iterator[Event]:
    """The events of a stream: kind, data, id; comments are told of as "comment"."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        key, _, value = line.partition(":")
        if line == ":":
            yield "comment", None, None
        elif line:
            fields[key] = value.removeprefix(" ")
        elif "event" in fields:
            yield fields["event"], json.loads(fields["data"]), fields.get("id")
            fields = {}


def first(found: Iterator[Event], kind: str) -> Event:
    return next(one for one in found if one[0] == kind)
