"""What the page is told: each change once, as it happens, and only to who has signed in."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from distkeras.punchcard.streams import EACH, Stream, Streams
from tests.punchcard.served import Server, ended, secret_of, state
from tests.punchcard.signed_in import Event, first, listening, refused, signed_in


def test_news_are_for_who_has_signed_in(shared_server: Server) -> None:
    refused(httpx.get(f"{shared_server.url}/session/events"), 401, "a secret is needed")
    given = {"Authorization": f"Bearer {secret_of('ann')}"}
    answer = httpx.get(f"{shared_server.url}/session/events", headers=given)
    refused(answer, 401, "a secret is needed")
    with signed_in(shared_server) as client:
        for query in ("most=0", "most=1001", "most=x", f"job={'a' * 65}"):
            assert client.get(f"/session/events?{query}").status_code == 422


def test_a_job_is_told_of_as_it_goes(shared_server: Server) -> None:
    job = shared_server.submit("train-told")
    with listening(shared_server, "ann", f"?job={job.name}") as found:
        assert first(found, "jobs")[1]["order"][0] == job.name
        _, said, place = first(found, "log")
        assert said["text"].startswith("this is train-told\n")
        shared_server.train("train-told", 1000)
        told = until_progress(found, 1000)
        assert told["name"] == "train-told"
        assert told["progress"]["epoch"] == 2
        rows = [row for row, _ in told["progress"]["curve"]]
        assert rows == sorted(rows)
        assert rows[-1] == 1000
    # A browser that has lost the connection goes on where it was.
    shared_server.train("train-told")
    with listening(shared_server, "ann", f"?job={job.name}", **{"Last-Event-ID": place}) as found:
        text, last = "", {"state": ""}
        for kind, told, _ in found:
            text += told["text"] if kind == "log" else ""
            last = told if kind == "job" else last
            if "row 4000 of 4000" in text and last["state"] == "succeeded":
                break
        assert "this is train-told" not in text
        assert last["progress"]["phase"] == "finish"
        assert len(last["progress"]["curve"]) <= 500


def until_progress(found: Iterator[Event], rows: int) -> Any:
    for kind, told, _ in found:
        if kind == "job" and (told["progress"] or {"rows": 0})["rows"] == rows:
            return told
    raise AssertionError("the stream has ended")


def test_only_what_has_changed_is_told(shared_server: Server) -> None:
    jobs = [shared_server.submit(f"wait-changed-{number}") for number in range(3)]
    ids = [job.name for job in jobs]
    with listening(shared_server, "ann", "?most=3") as found:
        _, told, _ = first(found, "jobs")
        assert (told["order"], told["more"]) == (ids[::-1], True)
        assert len(told["jobs"]) == 3
        jobs[2].cancel()
        told = next(told for _, told, _ in found if told["jobs"][0]["state"] == "cancelled")
        assert [one["id"] for one in told["jobs"]] == ids[2:]
    for job in jobs:
        job.cancel()
    ended(jobs, "cancelled")


def test_a_quiet_stream_shows_that_it_lives(shared_server: Server) -> None:
    with listening(shared_server, "bob") as found:
        assert "comment" in (kind for kind, _, _ in found)


def test_the_newest_streams_of_a_user_win(shared_server: Server) -> None:
    with listening(shared_server, "bob") as oldest, ExitStack() as others:
        assert first(oldest, "jobs")
        for _ in range(EACH):
            others.enter_context(listening(shared_server, "bob"))
        assert first(oldest, "replaced")
        assert list(oldest) == []


def test_a_stream_counts_for_as_long_as_it_is_there() -> None:
    streams = Streams(each=1, most=3)
    ann, bob, again = Stream("ann"), Stream("bob"), Stream("ann")
    with streams.opened(ann), streams.opened(bob):
        with streams.opened(again):
            assert (ann.replaced, bob.replaced, again.replaced) == (True, False, False)
            # One that has been replaced takes up room until it has gone.
            assert streams.full()
        assert not streams.full()


def test_the_server_does_not_wait_for_its_pages(tmp_path: Path) -> None:
    with Server(tmp_path) as server, listening(server) as found:
        assert first(found, "jobs")
        begun = time.monotonic()
        server.kill(signal.SIGTERM)
        assert list(found) == []
        # Without being told, uvicorn would wait for ten seconds.
        assert time.monotonic() - begun < 9
    assert "Traceback" not in server.said()


def test_a_job_of_long_ago_is_told_of_too(shared_server: Server) -> None:
    old = shared_server.submit("wait-old", "bob")
    new = shared_server.submit("wait-new", "bob")
    with listening(shared_server, "bob", f"?most=1&job={old.name}") as found:
        assert first(found, "job")[1]["name"] == "wait-old"
        old.cancel()
        told = next(told for kind, told, _ in found if kind == "job" if told["ended"])
        assert told["state"] == "cancelled"
    new.cancel()
    ended([new], "cancelled")
    assert state(old) == "cancelled"
