"""Payloads that no codec makes are refused by name, and change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distkeras.codecs import CODECS, Codec, bfloat16, codec_of, int8, raw, top_k
from distkeras.messages import HEADER, Header, Kind
from distkeras.rules import downpour
from distkeras.server import ParameterServer
from distkeras.transport.tcp import TcpServer
from tests.linear import WIDTH, server_of
from tests.transport import peers
from tests.transport.peers import TOKEN

LOSSY = [make() for make in CODECS.values() if make().lossy]
LOSS = np.float32([0.5]).tobytes()


@contextmanager
def serving(codec: Codec) -> Iterator[tuple[ParameterServer, tuple[str, int]]]:
    server = server_of(downpour())
    server.codec = codec
    with TcpServer(server, TOKEN) as tcp:
        yield server, tcp.address


def heard(address: tuple[str, int], codec: int, payload: bytes) -> tuple[Header, str]:
    """What a worker that joins and sends this is answered; the welcome is left out."""
    window = Header(Kind.UPDATE, rows=4, codec=codec, length=len(payload))
    with peers.authenticated(address) as connection:
        connection.sendall(Header(Kind.JOIN, rows=4).pack() + window.pack() + payload)
        peers.end(connection)
        answer = peers.read_all(connection)[HEADER.size + 4 * WIDTH :]
    return Header.unpack(answer[: HEADER.size]), answer[HEADER.size :].decode(errors="replace")


def int8_bytes(scale: float) -> bytes:
    return np.float32(scale).tobytes() + bytes([1, 2, 3])


def top_k_bytes(*places: int) -> bytes:
    return np.uint32(places).tobytes() + np.ones(len(places), np.float32).tobytes()


@pytest.mark.parametrize(
    ("codec", "number", "vector", "complaint"),
    [
        (bfloat16(), 0, bytes(12), "worker 0 sent UPDATE with the codec none, not bfloat16"),
        (bfloat16(), 2, bytes(7), "worker 0 sent UPDATE with the codec int8, not bfloat16"),
        (bfloat16(), 1, bytes(5), "worker 0 sent 9 bytes, not 10: its model is not the server's"),
        (bfloat16(), 1, b"", "worker 0 sent 4 bytes, not 10"),
        (int8(), 2, bytes(8), "worker 0 sent 12 bytes, not 11"),
        (int8(), 2, int8_bytes(-1), "worker 0 sent no window: the scale of block 0 is -1.0"),
        (int8(), 2, int8_bytes(np.inf), "worker 0 sent no window: the scale of block 0 is inf"),
        (top_k(), 3, bytes(16), "worker 0 sent 20 bytes, not 12"),
        (top_k(), 3, top_k_bytes(3), "worker 0 sent no window: the places of the largest of 3"),
        (top_k(), 3, top_k_bytes(2**32 - 1), "worker 0 sent no window: the places"),
        (top_k(0.5), 3, top_k_bytes(1, 1), "worker 0 sent no window: the places"),
        (top_k(0.5), 3, top_k_bytes(2, 0), "worker 0 sent no window: the places"),
        (raw(), 1, bytes(6), "worker 0 sent UPDATE with the codec bfloat16, not none"),
    ],
)
def test_it_is_refused_by_name(codec: Codec, number: int, vector: bytes, complaint: str) -> None:
    with serving(codec) as (server, address):
        header, text = heard(address, number, LOSS + vector)
        assert (header.kind, text.partition(": ")[0]) == (Kind.REFUSED, "ProtocolError")
        assert complaint in text
        assert server.clock == 0
        # The others go on.
        good = codec.encode(np.float32([1, 2, 3])).tobytes()
        assert heard(address, codec.number, LOSS + good)[0].kind is Kind.ANSWER
        assert server.clock == 1


@pytest.mark.parametrize(
    ("codec", "vector"),
    [
        (bfloat16(), np.uint16([0x7FC0, 0, 0]).tobytes()),
        (bfloat16(), np.uint16([0, 0xFF80, 0]).tobytes()),
        (int8(), int8_bytes(np.nan)),
        (top_k(), np.uint32([1]).tobytes() + np.float32([np.nan]).tobytes()),
    ],
)
def test_a_packed_nan_is_a_training_that_diverged(codec: Codec, vector: bytes) -> None:
    with serving(codec) as (server, address):
        header, text = heard(address, codec.number, LOSS + vector)
        assert header.kind is Kind.REFUSED
        assert text.startswith("TrainingDiverged: a weight became NaN or infinite at worker 0")
        assert server.clock == 0


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, tuple[ParameterServer, tuple[str, int]]]]:
    with serving(LOSSY[0]) as one, serving(LOSSY[1]) as two, serving(LOSSY[2]) as three:
        yield {codec.name: its for codec, its in zip(LOSSY, (one, two, three), strict=True)}


@given(
    name=st.sampled_from([codec.name for codec in LOSSY]),
    content=st.binary(min_size=10, max_size=30),
    worker=st.integers(0, 15),
)
def test_any_payload_is_merged_whole_or_not_at_all(
    servers: dict[str, tuple[ParameterServer, tuple[str, int]]],
    name: str,
    content: bytes,
    worker: int,
) -> None:
    server, address = servers[name]
    codec = codec_of(name)
    before, clock = server.center, server.clock
    payload = LOSS + content[: codec.length(WIDTH)]
    window = Header(Kind.UPDATE, worker, clock, rows=4, codec=codec.number, length=len(payload))
    join = Header(Kind.JOIN, worker, clock, rows=4)
    with peers.authenticated(address) as connection:
        connection.sendall(join.pack() + window.pack() + payload)
        peers.end(connection)
        peers.read_all(connection)
    assert np.isfinite(server.center).all()
    assert (server.clock > clock) or server.center is before
