"""A shard's side over TCP: a server that keeps a window until it hears that it is counted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from distkeras.checkpoints.content import Saved, pack
from distkeras.codecs import Buffer
from distkeras.errors import ProtocolError
from distkeras.messages import Header, Kind
from distkeras.shards.shard import Shard
from distkeras.transport.frames import Wire
from distkeras.transport.place import LOOPBACK, Place
from distkeras.transport.tcp import TcpServer
from distkeras.vectors import Vector

__all__ = ["ShardServer"]

#: What a shard hears beside what any server does.
OWN = (Kind.COMMIT, Kind.MARK, Kind.CENTER, Kind.STATE)


class ShardServer(TcpServer):
    """Serves a shard on a port; a context manager. Who lives is the coordinator's business.

    Args:
        shard: what is served.
        token: the run's secret.
        place: where.

    Raises:
        EnvironmentProblem: if this machine cannot listen there.
    """

    def __init__(self, shard: Shard, token: bytes, place: Place = LOOPBACK) -> None:
        super().__init__(shard.server, token, place)
        self._shard = shard

    def _reply(
        self, wire: Wire, header: Header, payload: npt.NDArray[np.uint8]
    ) -> tuple[Header] | tuple[Header, Vector | Buffer]:
        if header.kind in OWN:
            return self._own(wire, header, payload)
        self._check(header)
        who = header.partition, header.attempt
        if header.kind is Kind.UPDATE:
            self._shard.keep(self._update(header, payload))
        elif header.kind is Kind.JOIN:
            welcome = self._shard.join(*who, header.rows, header.sequence)
            return Header(Kind.WELCOME, sequence=welcome.sequence), welcome.weights
        elif header.kind is Kind.LEAVE:
            self._shard.server.leave(*who, header.wait)
        else:
            raise ProtocolError(f"{header.kind.name} came, which no shard is sent")
        return (Header(Kind.DONE),)

    def _own(
        self, wire: Wire, header: Header, payload: npt.NDArray[np.uint8]
    ) -> tuple[Header] | tuple[Header, Vector | Buffer]:
        shard = self._shard
        if header.kind is Kind.COMMIT:
            answer = shard.commit(header.partition, header.attempt, header.sequence)
            return self._header_of(answer), answer.payload
        if header.kind is Kind.CENTER:
            return Header(Kind.CENTER), shard.marked.center
        if header.kind is Kind.MARK:
            if payload.nbytes % 8:
                raise ProtocolError(f"MARK came with {payload.nbytes} bytes, not 8 for each worker")
            shard.mark(dict(enumerate(payload.view(np.uint64).tolist())))
        else:
            for piece in pack(Saved({}, shard.marked)):
                wire.send(Header(Kind.STATE), piece)
        return (Header(Kind.DONE),)
