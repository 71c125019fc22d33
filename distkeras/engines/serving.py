"""The server's port while workers train, and what they are told of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from distkeras.engines.addresses import Endpoint
from distkeras.engines.certificates import guard
from distkeras.engines.task import Job
from distkeras.server import ParameterServer
from distkeras.shards.coordinator import Coordinator
from distkeras.shards.processes import Opening, started
from distkeras.transport.place import Place
from distkeras.transport.tcp import TcpServer

__all__ = ["serving"]


@contextmanager
def serving(server: ParameterServer, job: Job, at: Endpoint) -> Iterator[tuple[TcpServer, Job]]:
    """Opens the server's port for one run, with a secret of its own, and starts its shards.

    Args:
        server: the center.
        job: what the workers do.
        at: where the server listens.

    Returns:
        What listens, and the job with where and the secret. Shards outlive it: the center is
        asked for when the workers have ended.

    Raises:
        EnvironmentProblem: if this machine cannot listen there.
        ConfigError: if the certificate cannot be used.
    """
    token = secrets.token_bytes(32)
    guarded = guard(at.certificate) if at.tls else None
    context, trust, pem = guarded or (None, None, "")
    place = Place(at.bind, at.port, at.retries, context)
    with TcpServer(server, token, place, job.timeout) as tcp:
        address = at.host, tcp.address[1]
        told = replace(job, address=address, token=token, trust=trust)
        if isinstance(server, Coordinator):
            where = Opening(at.bind, token, at.port, at.retries, pem, trust, job.timeout)
            ports = started(server, where)
            told = replace(told, shards=tuple((at.host, port) for port in ports))
        yield tcp, told
