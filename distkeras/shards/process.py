"""A shard's process: ``python -m distkeras.shards.process``, which the driver starts.

Its standard input says what it serves: a line of JSON and then, in pieces that say how long they
are, the state from which it begins. It answers with a line of JSON, the port or what went wrong,
and ends when its standard input does, or with its parent.
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import IO, Any

from distkeras.checkpoints.content import unpack
from distkeras.codecs import codec_of
from distkeras.errors import DistkerasError, ProtocolError
from distkeras.server import ParameterServer
from distkeras.shards.described import rebuilt
from distkeras.shards.port import ShardServer
from distkeras.shards.shard import Shard
from distkeras.transport.place import Place
from distkeras.transport.tls import context_with

__all__ = ["main", "write"]

#: Bytes that say how long the next piece is; 0 for none.
LENGTH = 8
#: Seconds between two looks at the parent, beside the pipe from it.
LOOK = 1.0


def write(file: IO[bytes], told: Mapping[str, Any], pieces: Iterable[bytes]) -> None:
    """Says to a shard's process what it serves; the driver's part."""
    file.write(json.dumps(told).encode() + b"\n")
    for piece in (*pieces, b""):
        file.write(len(piece).to_bytes(LENGTH, "little") + piece)
    file.flush()


def main() -> None:
    """Serves until the driver has gone."""
    source = sys.stdin.buffer
    with ExitStack() as stack:
        try:
            told = json.loads(source.readline())
            server = stack.enter_context(_serving(told, source))
        except DistkerasError as problem:
            print(json.dumps({"problem": f"{problem}"}), flush=True)
            return
        print(json.dumps({"port": server.address[1]}), flush=True)
        while os.getppid() == told["parent"]:
            if select.select([source], [], [], LOOK)[0]:
                break  # Its end: nothing more is said.


def _serving(told: Mapping[str, Any], source: IO[bytes]) -> ShardServer:
    snapshot = unpack(_pieces(source)).snapshot
    server = ParameterServer(
        snapshot.center,
        rebuilt(told["rule"]),
        workers=told["workers"],
        codec=codec_of(told["compression"]),
        overlap=told["overlap"],
    )
    server.restore(snapshot)
    tls = context_with(told["pem"]) if told["pem"] else None
    place = Place(told["host"], told["port"], told["retries"], tls)
    return ShardServer(Shard(server), bytes.fromhex(told["token"]), place)


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    while length := int.from_bytes(source.read(LENGTH), "little"):
        piece = source.read(length)
        if len(piece) != length:
            raise ProtocolError("the driver has gone")
        yield piece


if __name__ == "__main__":
    main()
