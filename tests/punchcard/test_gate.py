"""Bodies that take up a connection: the gate by itself, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import HTTPException

from distkeras.punchcard import gate
from distkeras.punchcard.gate import BodyLimit

SCOPE = {"type": "http", "method": "POST", "path": "/api/v1/jobs", "headers": []}


def sent(pieces: Iterator[tuple[float, bytes]]) -> int:
    """Bytes that came through, of pieces that each come after so many seconds."""
    seen = 0

    async def receive() -> dict[str, Any]:
        wait, body = next(pieces, (0.0, b""))
        await asyncio.sleep(wait)
        return {"type": "http.request", "body": body, "more_body": bool(body)}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal seen
        while (message := await receive())["more_body"]:
            seen += len(message["body"])

    async def send(message: Any) -> None:
        raise AssertionError(message)

    asyncio.run(BodyLimit(app, 1 << 30)(dict(SCOPE), receive, send))
    return seen


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "PIECE_SECONDS", 1.0)
    monkeypatch.setattr(gate, "SLOWEST", 1000)


def test_a_body_that_trickles_for_ever_is_not_waited_for() -> None:
    endless = (  # For ten times as long as a body may be silent.
        (0.05, b"x") for _ in range(200)
    )
    with pytest.raises(HTTPException) as raised:
        sent(endless)
    assert raised.value.status_code == 408
    assert "less than 1000 bytes/s" in str(raised.value.detail)


def test_nor_is_one_of_which_nothing_comes() -> None:
    with pytest.raises(HTTPException, match="nothing came"):
        sent(iter([(0.0, b"x" * 100_000), (60.0, b"x")]))


def test_a_long_one_that_is_fast_enough_may_take_longer() -> None:
    # In all half as long again as a body may be silent.
    assert sent((0.1, b"x" * 1000) for _ in range(15)) == 15_000
