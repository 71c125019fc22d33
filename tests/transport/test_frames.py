"""Frames over a pair of connected sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distkeras.errors import ExchangeTimeout, ProtocolError
from distkeras.messages import MAX_TEXT, Header, Kind
from distkeras.transport.frames import Deadline, Wire
from tests.transport.peers import PATIENCE

SHORT = 0.2
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of one TCP connection."""
    first, second = tcp_pair()
    with first, second:
        yield first, second


def tcp_pair() -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        first = socket.create_connection(listener.getsockname())
        return first, listener.accept()[0]


def wire(connection: socket.socket, seconds: float = PATIENCE, size: int = 4096) -> Wire:
    made = Wire(connection, "the peer at 127.0.0.1:1", Deadline(seconds))
    made.trust(size)
    return made


def test_parts_arrive_as_one_payload(pair: Pair) -> None:
    vector = np.arange(3, dtype=np.float32)
    wire(pair[0]).send(Header(Kind.UPDATE, partition=4), np.float32([9]), vector, b"")
    header, payload = wire(pair[1]).receive()
    assert header == Header(Kind.UPDATE, partition=4, length=16)
    assert payload.view(np.float32).tolist() == [9, 0, 1, 2]


def test_a_frame_may_have_no_payload(pair: Pair) -> None:
    wire(pair[0]).send(Header(Kind.DONE))
    header, payload = wire(pair[1]).receive()
    assert header.length == len(payload) == 0


def test_a_frame_larger_than_the_kernels_buffers_arrives_whole(
    pair: Pair,
) -> None:
    for end in pair:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    vector = np.random.default_rng(0).normal(size=300_000).astype(np.float32)
    sender = threading.Thread(
        target=wire(pair[0]).send, args=(Header(Kind.UPDATE), np.float32([1]), vector)
    )
    sender.start()
    _, payload = wire(pair[1], size=vector.nbytes).receive()
    sender.join()
    np.testing.assert_array_equal(payload.view(np.float32)[1:], vector)


@given(cut=st.integers(0, 71))
def test_an_end_within_a_frame_is_a_lost_connection(cut: int) -> None:
    first, second = tcp_pair()
    with first, second:
        data = Header(Kind.UPDATE, length=16).pack() + bytes(16)
        first.sendall(data[:cut])
        first.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionError, match="closed the connection"):
            wire(second).receive()


def test_a_length_beyond_the_bound_is_refused_before_memory_is_taken(
    pair: Pair,
) -> None:
    pair[0].sendall(Header(Kind.UPDATE, length=2**62).pack())
    with pytest.raises(ProtocolError, match=f"announced {2**62} bytes; {4096 + MAX_TEXT} is"):
        wire(pair[1]).receive()


def test_before_the_handshake_only_its_own_length_is_believed(
    pair: Pair,
) -> None:
    pair[0].sendall(Header(Kind.HELLO, length=65).pack())
    with pytest.raises(ProtocolError, match="announced 65 bytes; 64 is the bound"):
        Wire(pair[1], "peer", Deadline(PATIENCE)).receive()


def test_another_kind_than_expected_is_refused(pair: Pair) -> None:
    wire(pair[0]).send(Header(Kind.DONE))
    with pytest.raises(ProtocolError, match="sent DONE, not ANSWER or REFUSED"):
        wire(pair[1]).expect(Kind.ANSWER, Kind.REFUSED)


def test_silence_ends_with_the_deadline(pair: Pair) -> None:
    with pytest.raises(ExchangeTimeout, match=r"127\.0\.0\.1:1 did not answer within 0\.2 s"):
        wire(pair[1], SHORT).receive()


def test_bytes_now_and_then_do_not_move_the_deadline(
    pair: Pair,
) -> None:
    ended = threading.Event()

    def dribble() -> None:
        for byte in Header(Kind.DONE).pack():
            if ended.wait(SHORT / 4):
                return
            pair[0].sendall(bytes([byte]))

    dribbler = threading.Thread(target=dribble)
    dribbler.start()
    with pytest.raises(ExchangeTimeout):
        wire(pair[1], SHORT).receive()
    ended.set()
    dribbler.join()


def test_a_peer_that_takes_nothing_ends_with_the_deadline(
    pair: Pair,
) -> None:
    vector = np.zeros(16_000_000, np.float32)  # More than the kernel keeps for a reader.
    with pytest.raises(ExchangeTimeout, match="did not take a frame of 64000000 bytes"):
        wire(pair[0], SHORT).send(Header(Kind.UPDATE), vector)


def test_an_abort_wakes_who_waits(pair: Pair) -> None:
    waiting = Wire(pair[1], "peer", None)
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            waiting.receive()
        except ConnectionError as error:
            raised.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    waiting.abort()
    waiter.join()
    assert len(raised) == 1
