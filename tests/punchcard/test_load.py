"""Many clients, and a network that stalls for longer than they wait: each job is there once."""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import urlsplit

import pytest

from distkeras.job_deployment.connection import Connection, Patience
from distkeras.job_deployment.submission import described, new_key, send
from distkeras.punchcard.told import Listed
from tests.linear import in_threads
from tests.punchcard.served import Server, secret_of, until
from tests.storage.wire import Wire

CLIENTS, EACH = 20, 25
#: A stall takes a second: every one is an attempt that the client gives up, and the server not.
IMPATIENT = Patience(connect=5.0, answer=0.5, deadline=300.0)


def _check_sent_again(wire: Wire) -> None:
    """The test is none unless the server was asked again for what it had done already."""
    keys = Counter(
        found[1]
        for piece in wire.requests
        if (found := re.search(rb"(?i)\nidempotency-key: (\w+)", piece))
    )
    assert len(keys) == CLIENTS * EACH
    assert max(keys.values()) > 1, "no submission came twice"
    puts = Counter(piece.split()[1] for piece in wire.requests if piece.startswith(b"PUT "))
    assert len(puts) == CLIENTS * EACH
    assert max(puts.values()) > 1, "no model came twice"
    assert wire.stalls >= CLIENTS


def test_500_submissions_over_a_network_that_stalls(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    users = [f"user{number}" for number in range(CLIENTS)]
    server = Server(tmp_path_factory.mktemp("load"), "--max-running", "8")
    server.users(*users)
    with server, Wire("127.0.0.1", urlsplit(server.url).port or 0) as wire:
        wire.stall = 50
        url = f"http://127.0.0.1:{wire.port}"
        sent: list[list[str]] = [[] for _ in users]

        def submit(number: int) -> None:
            connection = Connection(url, secret_of(users[number]), patience=IMPATIENT)
            for count in range(EACH):
                job = described(server.values(f"quick-{count}"), server.model)
                sent[number].append(send(connection, job, server.model, new_key()))
            connection.close()

        in_threads(CLIENTS, submit)
        _check_sent_again(wire)
        until(lambda: server.runs().total() >= 2 * CLIENTS * EACH, "the jobs' end", 300.0)
        for user, names in zip(users, sent, strict=True):
            told = server.connection(user).ask("GET", "jobs?most=1000", Listed)["jobs"]
            assert [one["id"] for one in told] == names[::-1]
            assert [one["name"] for one in told] == [f"quick-{i}" for i in range(EACH)][::-1]
        names = [name for names in sent for name in names]
        assert server.runs() == {f"{what} {name}": 1 for name in names for what in ("begin", "end")}
        # Of each secret they ran in their order.
        lines = (server.state / "runs.txt").read_text().splitlines()
        for mine in sent:
            begun = [line.split()[1] for line in lines if line.startswith("begin")]
            assert [name for name in begun if name in set(mine)] == mine
