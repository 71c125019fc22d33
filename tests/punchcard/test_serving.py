"""Connections that take up room: each over a pair of sockets, without a server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from distkeras.punchcard.serving import Prompt

#: Seconds after which a test has failed.
SECONDS = 20.0
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
#: Mebibytes.
LARGE = 8
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers when the whole body is there, unless it is told not to look at it."""
    if scope["path"] == "/large":
        await large(send)
        return
    while scope["path"] != "/unread" and (await receive()).get("more_body"):
        pass
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def large(send: Any) -> None:
    """Far more than the kernel takes for somebody who does not read."""
    length = (b"content-length", str(LARGE << 20).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    for number in range(LARGE):
        more = number < LARGE - 1
        await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": more})


def talked(talk: Talk, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.2) -> bytes:
    """What a client hears; the server's side of the wire is the protocol under test."""
    monkeypatch.setattr(Prompt, "seconds", seconds)

    async def both() -> bytes:
        config = uvicorn.Config(app, log_config=None, lifespan="off")
        config.load()
        here, there = socket.socketpair()
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: Prompt(config, ServerState(), {}), here
        )
        reader, writer = await asyncio.open_connection(sock=there)
        try:
            return await asyncio.wait_for(talk(reader, writer), SECONDS)
        finally:
            writer.close()

    return asyncio.run(both())


@pytest.mark.parametrize("said", [b"", b"G", HEAD])
def test_who_does_not_ask_is_not_waited_for(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(said)
        return await reader.read()

    assert talked(talk, monkeypatch) == b""


async def sent_until_closed(
    first: bytes, piece: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    """Sends a piece now and then, whatever is answered."""
    writer.write(first)
    while not reader.at_eof():
        writer.write(piece)
        try:
            await asyncio.wait_for(reader.read(1000), 0.02)
        except asyncio.TimeoutError:
            continue
        except ConnectionError:
            break
    return b"closed"


def test_who_asks_by_and_by_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert talked(partial(sent_until_closed, b"", b"x"), monkeypatch) == b"closed"


def test_who_has_been_answered_does_not_go_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    head = HEAD.replace(b"GET / ", b"POST /unread ") + b"Content-Length: 1000000000\r\n\r\n"
    assert talked(partial(sent_until_closed, head, b"x" * 100), monkeypatch) == b"closed"


def test_who_sends_a_long_body_is_heard_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for _ in range(2):
            writer.write(HEAD.replace(b"GET", b"POST") + b"Content-Length: 20\r\n\r\n")
            for _ in range(20):
                writer.write(b"x")
                await asyncio.sleep(0.03)  # In all three times as long as the head may take.
            said = await reader.readuntil(b"ok")
        return said

    assert talked(talk, monkeypatch).startswith(b"HTTP/1.1 200 OK")


def read_slowly(times: int, piece: int, pause: float) -> Talk:
    """Reads a large answer so many times in pieces, then the rest; returns whether all came."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(HEAD.replace(b"GET / ", b"GET /large ") + b"\r\n")
        seen = 0
        try:
            for _ in range(times):
                seen += len(await reader.read(piece))
                await asyncio.sleep(pause)
            while some := await reader.read(1 << 20):
                seen += len(some)
                if seen > LARGE << 20:
                    return b"all"
        except ConnectionError:
            pass
        return b"closed"

    return talk


def test_who_reads_at_a_trickle_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Prompt, "unread", 0.2)
    assert talked(read_slowly(20, 100, 0.05), monkeypatch) == b"closed"


def test_who_reads_slowly_hears_all(monkeypatch: pytest.MonkeyPatch) -> None:
    # In all longer than a part of it may lie.
    monkeypatch.setattr(Prompt, "unread", 2.0)
    assert talked(read_slowly(100, 1 << 16, 0.025), monkeypatch) == b"all"
