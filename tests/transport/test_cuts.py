"""A connection that is cut anywhere: the window is merged once, and the worker goes on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distkeras.codecs import CODECS, RAW, Codec, codec_of
from distkeras.messages import HEADER, NONCE
from distkeras.rules import RULES
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.transport import client
from distkeras.transport.client import TcpChannel
from distkeras.transport.tcp import TcpServer
from distkeras.worker import Assignment, Worker
from tests.linear import WIDTH, LinearReplica, Table, server_of
from tests.transport import peers
from tests.transport.peers import PATIENCE, TOKEN

ROWS, SCHEDULE = Table(16), Schedule(batch_size=4, window=2, epochs=2, seed=0)
WINDOWS = 4

#: A rule, and whether the next window is trained meanwhile.
Case = tuple[str, bool]
CASES: list[Case] = [(name, False) for name in RULES] + [
    (name, True) for name in ("ADAG", "AEASGD", "DOWNPOUR", "GEM")
]

#: Where things end in what the worker sends, and in what the server sends.
HELLO = HEADER.size + NONCE + 32
JOIN = HELLO + HEADER.size
UPDATE = HEADER.size + 4 + 4 * WIDTH
CHALLENGE = HEADER.size + NONCE
PROVEN = CHALLENGE + HEADER.size + 32
ANSWER = HEADER.size + 4 * WIDTH
WELCOME = PROVEN + ANSWER
UP = JOIN + WINDOWS * UPDATE + HEADER.size
DOWN = WELCOME + WINDOWS * ANSWER + HEADER.size


@pytest.fixture(autouse=True, scope="module")
def _eager() -> Iterator[None]:
    """The channel connects again at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "PAUSE", 0.0)
        yield


def trained(
    case: Case, up: int | None = None, down: int | None = None, codec: Codec = RAW
) -> ParameterServer:
    """The server after a worker trained through a proxy that cuts its first connection."""
    name, overlap = case
    server = server_of(RULES[name]())
    server.codec, server.overlap = codec, overlap
    with TcpServer(server, TOKEN) as tcp:
        proxy = peers.CuttingProxy(tcp.address, up, down)
        with (
            peers.listening(proxy.serve) as address,
            TcpChannel(address, TOKEN, WIDTH, PATIENCE, codec=codec) as channel,
        ):
            worker = Worker(Assignment(0, 0), ROWS, LinearReplica(4), server.rule, SCHEDULE)
            worker.train(channel, overlap)
        assert proxy.connections == (1 if up is None and down is None else 2)
    return server


@cache
def undisturbed(case: Case, codec: str) -> ParameterServer:
    return trained(case, codec=codec_of(codec))


def assert_undisturbed(server: ParameterServer) -> None:
    expected = undisturbed((server.rule.name, server.overlap), server.codec.name)
    np.testing.assert_array_equal(server.center, expected.center)
    assert server.clock == WINDOWS
    assert [record.window for record in server.history] == list(range(WINDOWS))
    assert [record.metrics for record in server.history] == [
        record.metrics for record in expected.history
    ]
    assert server.rows_merged == 32
    assert server.unfinished == []


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "up",
    [
        pytest.param(0, id="before the handshake"),
        pytest.param(HELLO - 1, id="inside the handshake"),
        pytest.param(JOIN, id="before the update"),
        pytest.param(JOIN + 20, id="inside its header"),
        pytest.param(JOIN + HEADER.size, id="between header and payload"),
        pytest.param(JOIN + HEADER.size + 6, id="inside its payload"),
        pytest.param(JOIN + UPDATE, id="after the update"),
        pytest.param(UP - 1, id="while leaving"),
    ],
)
def test_cut_on_the_way_to_the_server(case: Case, up: int) -> None:
    assert_undisturbed(trained(case, up=up))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "down",
    [
        pytest.param(CHALLENGE + 1, id="inside the handshake"),
        pytest.param(WELCOME - 1, id="inside the welcome"),
        pytest.param(WELCOME, id="before the answer"),
        pytest.param(WELCOME + 20, id="inside the answer's header"),
        pytest.param(WELCOME + ANSWER - 1, id="inside the answer's payload"),
        pytest.param(WELCOME + ANSWER, id="after the answer"),
        pytest.param(DOWN - 1, id="while leaving"),
    ],
)
def test_cut_on_the_way_back(case: Case, down: int) -> None:
    assert_undisturbed(trained(case, down=down))


@settings(max_examples=40)
@given(case=st.sampled_from(CASES), up=st.integers(0, UP - 1))
def test_cut_anywhere_on_the_way_to_the_server(case: Case, up: int) -> None:
    assert_undisturbed(trained(case, up=up))


@settings(max_examples=40)
@given(case=st.sampled_from(CASES), down=st.integers(0, DOWN - 1))
def test_cut_anywhere_on_the_way_back(case: Case, down: int) -> None:
    assert_undisturbed(trained(case, down=down))


@settings(max_examples=60)
@given(
    case=st.sampled_from(CASES),
    codec=st.sampled_from([make() for name, make in CODECS.items() if name != "none"]),
    back=st.booleans(),
    place=st.floats(0, 1, exclude_max=True),
)
def test_cut_anywhere_with_any_codec(case: Case, codec: Codec, back: bool, place: float) -> None:
    # What is lost by packing is kept for the next window, but not counted twice.
    saved = WINDOWS * (codec.length(WIDTH) - 4 * WIDTH)
    saved_back = WINDOWS * (codec.answers.length(WIDTH) - 4 * WIDTH)
    up = None if back else int(place * (UP + saved))
    down = int(place * (DOWN + saved_back)) if back else None
    assert_undisturbed(trained(case, up, down, codec))
