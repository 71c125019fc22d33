from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from distkeras.punchcard.lockout import Lockout
from tests.punchcard.served import Server


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_who_guesses_waits_longer_and_is_locked_out_and_let_in_again() -> None:
    clock = Clock()
    lockout = Lockout(most=5, seconds=60.0, clock=clock)
    waits = [lockout.wrong("10.0.0.1") for _ in range(5)]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.0]
    assert lockout.locked("10.0.0.1") == 60.0
    assert lockout.locked("10.0.0.2") == 0.0
    clock.now += 59.0
    assert lockout.locked("10.0.0.1") == 1.0
    clock.now += 1.0
    assert lockout.locked("10.0.0.1") == 0.0
    assert lockout.wrong("10.0.0.1") == 0.1


def test_some_wrong_ones_lock_nobody_out() -> None:
    lockout = Lockout(most=5)
    for _ in range(4):
        lockout.wrong("10.0.0.1")
    assert lockout.locked("10.0.0.1") == 0.0


def test_all_addresses_of_a_network_of_ipv6_are_one() -> None:
    lockout = Lockout(most=3)
    for number in range(3):
        lockout.wrong(f"2001:db8::{number}")
    assert lockout.locked("2001:db8::ffff") > 0
    assert lockout.locked("2001:db8:0:1::1") == 0
    for _ in range(3):
        lockout.wrong("::ffff:10.0.0.9")
    assert lockout.locked("10.0.0.9") > 0


def test_what_is_remembered_is_bounded_and_the_oldest_give_way() -> None:
    lockout = Lockout(most=1, addresses=100)
    for number in range(1000):
        lockout.wrong(f"10.0.{number // 250}.{number % 250}")
    assert len(lockout._failures) == 100
    assert lockout.locked("10.0.0.0") == 0
    assert lockout.locked("10.0.3.249") > 0


def test_who_guesses_in_many_forms_at_once_has_no_more_guesses(tmp_path: Path) -> None:
    with Server(tmp_path) as server, contextlib.ExitStack() as doors:
        place = urlsplit(server.url)
        body = b"secret=wrong"
        head = f"POST /session HTTP/1.1\r\nHost: {place.netloc}\r\nSec-Fetch-Site: same-origin\r\n"
        begun = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-1]
        opened = [socket.create_connection((place.hostname, place.port)) for _ in range(30)]
        for one in opened:
            doors.enter_context(one).settimeout(30)
            one.sendall(begun)
        # Each of them has been let in: nobody has been wrong so far.
        assert httpx.get(f"{server.url}/session").status_code == 200
        for one in opened:
            one.sendall(body[-1:])
        answers = [one.recv(12)[9:] for one in opened]
    assert sorted(answers) == [b"401"] * 10 + [b"429"] * 20
