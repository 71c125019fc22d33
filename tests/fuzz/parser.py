"""Streams through ``Header.unpack`` and ``Wire.receive``, over a pair of connected sockets."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from distkeras.errors import ProtocolError
from distkeras.messages import HEADER, MAX_TEXT, NONCE, Header
from distkeras.transport.frames import Deadline, Wire
from tests.fuzz.making import Author, Choices, Player
from tests.fuzz.reading import Frame, read
from tests.transport.peers import LOOPBACK, PATIENCE

#: Bytes of a vector that the trusting wire believes; 0 for one that trusts nobody yet.
SIZES = (16, 0)


class Parser(Player):
    """A listener for pairs of sockets."""

    def __enter__(self) -> Parser:
        self._listener = socket.create_server((LOOPBACK, 0))
        return self

    def __exit__(self, *problem: object) -> None:
        self._listener.close()

    def play(self, choices: Choices) -> None:
        """Sends one stream, and compares what comes out with what must."""
        size = SIZES[choices.below(len(SIZES))]
        data = Author(choices, {}, self._odds).stream()
        bound = size + MAX_TEXT if size else NONCE + 32
        frames, ending = read(data, bound)
        with self._pair() as (sender, receiver):
            sender.sendall(data)
            sender.shutdown(socket.SHUT_WR)
            wire = Wire(receiver, "peer", Deadline(PATIENCE))
            if size:
                wire.trust(size)
            # A wire does not tell the end of a stream from one within a frame: both are a loss.
            lost = "lost" if ending in ("end", "cut off") else ending
            assert repr(received(wire)) == repr((frames, lost))  # Where NaN is NaN.
        unpacked(data)
        self.counts["whole"] += len(frames)
        self.counts[ending] += ending != "end"

    @contextmanager
    def _pair(self) -> Iterator[tuple[socket.socket, socket.socket]]:
        sender = socket.create_connection(self._listener.getsockname())
        receiver, _ = self._listener.accept()
        with sender, receiver:
            yield sender, receiver
            ends_at_once(sender)


def received(wire: Wire) -> tuple[list[Frame], str]:
    """What a wire makes of a stream, in the words of ``read``."""
    frames = []
    while True:
        try:
            header, payload = wire.receive()
        except ProtocolError as refusal:
            return frames, word_of(str(refusal))
        except ConnectionError:
            return frames, "lost"
        frames.append(Frame(header, payload.tobytes()))


def word_of(refusal: str) -> str:
    """A refusal, of one line, in the words of ``read``."""
    assert "\n" not in refusal
    phrases = {
        "starts with": "wrong magic",
        "has version": "wrong version",
        "has codec": "wrong codec",
        "has kind": "unknown kind",
        "is the bound": "too long",
    }
    return next(word for phrase, word in phrases.items() if phrase in refusal)


def unpacked(data: bytes) -> None:
    """Any 60 bytes are a header or a ``ProtocolError``."""
    if len(data) < HEADER.size:
        return
    try:
        header = Header.unpack(data[-HEADER.size :])
    except ProtocolError:
        return
    assert repr(Header.unpack(header.pack())) == repr(header)


def ends_at_once(connection: socket.socket) -> None:
    """Closing leaves no trace in the kernel, which would run out of ports after thousands."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
