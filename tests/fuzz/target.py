"""A live server under bad bytes: what it may answer, and what must never change."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np

from distkeras import errors
from distkeras.codecs import RAW, Codec
from distkeras.codecs.sides import WorkerSide
from distkeras.messages import HEADER, MAX_TEXT, NONCE, Header, Kind
from distkeras.rules import Window, downpour
from distkeras.transport.client import TcpChannel
from distkeras.transport.frames import Deadline, Wire
from distkeras.transport.handshake import authenticate_server
from distkeras.transport.tcp import TcpServer
from tests.fuzz.making import ROWS, Author, Choices, Known, Player
from tests.fuzz.parser import ends_at_once
from tests.fuzz.reading import Frame, read
from tests.linear import WIDTH, WORKERS, server_of, update
from tests.transport import peers
from tests.transport.peers import PATIENCE, TOKEN

#: The worker that goes on; nobody supersedes this attempt.
HEALTHY, ATTEMPT = WORKERS - 1, 2**64 - 1
#: Beyond, the distance between two vectors may be more than float32 holds.
HUGE = 1e37
#: Frames that are sent before their answers are read. The kernel holds more than ten answers back
#: until the first were taken, and forgets them when the server closes.
AT_ONCE = 4
#: What each verb is answered with, where it is not refused.
ANSWERS = {
    Kind.UPDATE: Kind.ANSWER,
    Kind.JOIN: Kind.WELCOME,
    Kind.LEAVE: Kind.DONE,
    Kind.FAIL: Kind.DONE,
    Kind.ALIVE: Kind.DONE,
}


class Ledger:
    """What the server must know, by its own answers: each window merged once, and none refused."""

    def __init__(self) -> None:
        self.center = np.zeros(WIDTH, np.float32)
        self.clock = self.rows = 0
        #: By partition, of those that have joined.
        self.known: dict[int, Known] = {}

    def hear(self, frame: Frame, kind: Kind, text: str) -> str:
        """Takes the answer to a frame down.

        Returns:
            What became of the frame.
        """
        asked = frame.header
        if kind is Kind.REFUSED:
            name, _, message = text.partition(": ")
            assert name in errors.__all__, text
            assert "\n" not in text
            if name == "TrainingDiverged":
                assert f"worker {asked.partition}" in message, text
            return f"refused: {name}"
        assert kind is ANSWERS.get(asked.kind), f"{kind.name} to {asked.kind.name}"
        if kind is Kind.WELCOME:
            assert asked.partition < WORKERS
            known = self.known.get(asked.partition, Known(rows=asked.rows))
            assert asked.attempt >= known.attempt
            assert asked.rows == known.rows > 0
            self.known[asked.partition] = known._replace(attempt=asked.attempt)
        if kind is Kind.ANSWER:
            return self._merged(frame)
        return f"answered: {asked.kind.name}"

    def _merged(self, frame: Frame) -> str:
        asked = frame.header
        attempt, following, _ = self.known[asked.partition]
        assert asked.attempt >= attempt
        if asked.sequence == following - 1:
            return "answered: again"
        assert asked.sequence == following
        assert np.isfinite(frame.loss)
        self.merge(asked, frame.vector(WIDTH))
        return "answered: UPDATE"

    def merge(self, asked: Header, vector: np.ndarray) -> None:
        """A window that was answered for the first time."""
        known = self.known[asked.partition]
        assert 0 < asked.rows <= known.rows * (asked.epoch + 1)
        self.center = self.center + vector
        self.clock, self.rows = self.clock + 1, self.rows + asked.rows
        self.known[asked.partition] = known._replace(following=known.following + 1)


class Target(Player):
    """A server, a healthy worker on it, and the ledger of both.

    Args:
        odds: of so many frames, four are broken; each ends its connection.
        codec: of the run.
    """

    def __init__(self, odds: int, codec: Codec = RAW) -> None:
        super().__init__(odds)
        self._codec = codec
        self._server = server_of(downpour())
        self._server.codec = codec
        #: The longest payload that is believed after the handshake.
        self._bound = 4 + codec.length(WIDTH) + MAX_TEXT
        self._ledger = Ledger()
        self._bugs = Bugs()

    def __enter__(self) -> Target:
        with ExitStack() as stack:
            stack.enter_context(self._bugs)
            self._tcp = stack.enter_context(TcpServer(self._server, TOKEN, lease=0.0))
            self._channel = stack.enter_context(
                TcpChannel(self._tcp.address, TOKEN, WIDTH, PATIENCE, codec=self._codec)
            )
            self._join()
            self._ledger.known[HEALTHY] = Known(ATTEMPT)
            self._held = stack.pop_all()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._held.close()

    def play(self, choices: Choices) -> None:
        """One connection to its end, and then everything that must hold."""
        others = {p: known for p, known in self._ledger.known.items() if p != HEALTHY}
        author = Author(choices, others, self._odds, self._codec)
        if choices.below(8) == 1:
            self._before_the_proof(author.handshake())
        else:
            self._after_the_proof(author.stream())
        self._check()

    def _before_the_proof(self, data: bytes) -> None:
        with peers.connected(self._tcp.address) as connection:
            challenge = peers.read_exactly(connection, HEADER.size + NONCE)
            answer = last_words(connection, data)
        assert Header.unpack(challenge[: HEADER.size]).kind is Kind.CHALLENGE
        assert answer in (b"", Header(Kind.REFUSED).pack())
        frames, ending = read(data, NONCE + 32)
        what = "refused" if answer else "closed" if frames else ending
        self.counts[f"not proven: {what}"] += bool(data)

    def _after_the_proof(self, data: bytes) -> None:
        frames, ending = read(data, self._bound)
        if any(frame.header.partition == HEALTHY for frame in frames):
            return  # The one whom nobody disturbs.
        with peers.connected(self._tcp.address) as connection:
            authenticate_server(Wire(connection, "server", Deadline(PATIENCE)), TOKEN)
            connection.settimeout(PATIENCE)
            replies = conversed(connection, frames, data)
        told = [self._heard(*pair) for pair in zip(frames, replies, strict=False)]
        self.counts.update(told)
        if len(replies) == len(frames):
            if told[-1:] != ["refused: ProtocolError"]:
                self.counts[f"closed: {ending}"] += ending != "end"
        else:  # Nothing after what breaks the protocol is read.
            assert told[-1] == "refused: ProtocolError", (told, len(frames))

    def _heard(self, frame: Frame, reply: Frame) -> str:
        return self._ledger.hear(frame, reply.header.kind, reply.payload.decode(errors="replace"))

    def _check(self) -> None:
        ledger, server = self._ledger, self._server
        self._agree()
        sequence = ledger.known[HEALTHY].following
        # Back towards 0 where others have brought the center near to what float32 holds.
        learned = np.clip(-ledger.center, -1e30, 1e30)
        vector, buffer = self._side.send(Window(self._start + learned, self._start, 1))
        window = update(sequence, vector, partition=HEALTHY, attempt=ATTEMPT)
        try:
            answer = self._channel.exchange(window._replace(buffer=buffer))
        except errors.TrainingDiverged:
            assert self._codec.lossy
            assert not max(map(np.max, map(np.abs, (ledger.center, self._start)))) <= HUGE
            self._join()
        else:
            ledger.merge(Header(Kind.UPDATE, HEALTHY, rows=4, sequence=sequence), vector)
            self._start = self._side.adopt(self._start, answer.vector)
            if not self._codec.lossy:
                assert self._start.tobytes() == ledger.center.tobytes()
        self._agree()
        assert set(server.unfinished) <= set(ledger.known)
        self._bugs.check()

    def _join(self) -> None:
        self._start = self._channel.join(HEALTHY, ATTEMPT, ROWS).weights
        self._side = WorkerSide(downpour(), self._codec, self._start)

    def _agree(self) -> None:
        ledger, server = self._ledger, self._server
        assert np.isfinite(server.center).all()
        assert server.center.tobytes() == ledger.center.tobytes()
        # What the server would tell the healthy worker's next attempt is what the worker knows.
        if HEALTHY in ledger.known and ledger.known[HEALTHY].following:
            assert server.workers_weights()[-1].tobytes() == self._start.tobytes()
        known = server.clock, server.rows_merged, len(server.history)
        assert known == (ledger.clock, ledger.rows, ledger.clock)


def conversed(connection: socket.socket, frames: list[Frame], data: bytes) -> list[Frame]:
    """Says all of ``data``, and returns the answers, until the server closes."""
    replies: list[Frame] = []
    while len(replies) < len(frames):
        asked = frames[len(replies) : len(replies) + AT_ONCE]
        length = sum(HEADER.size + len(frame.payload) for frame in asked)
        connection.sendall(data[:length])
        data = data[length:]
        heard = [reply(connection) for _ in asked]
        replies += filter(None, heard)
        if None in heard:
            break
    assert last_words(connection, data) == b""
    return replies


def reply(connection: socket.socket) -> Frame | None:
    """The next answer; None if the server has closed."""
    with suppress(ConnectionError):
        if len(head := peers.read_exactly(connection, HEADER.size)) == HEADER.size:
            header = Header.unpack(head)
            return Frame(header, peers.read_exactly(connection, header.length))
    return None


def last_words(connection: socket.socket, data: bytes) -> bytes:
    """What a server says to all of this, until it closes."""
    with suppress(OSError):  # It may have closed before the end.
        connection.sendall(data)
    peers.end(connection)
    answer = peers.read_all(connection)
    ends_at_once(connection)
    return answer


class Bugs(logging.Handler):
    """Every exception that is not this library's: of a thread, or caught and logged by a server."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._found: list[str] = []

    def __enter__(self) -> Bugs:
        self._before, threading.excepthook = threading.excepthook, self._raised
        logging.getLogger("distkeras").addHandler(self)
        return self

    def __exit__(self, *problem: object) -> None:
        threading.excepthook = self._before
        logging.getLogger("distkeras").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._found.append(record.getMessage())

    def _raised(self, arguments: Any) -> None:
        self._found.append(repr(arguments.exc_value))

    def check(self) -> None:
        assert self._found == []
