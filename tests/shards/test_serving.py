"""What engines open for a training with several parameter servers, and tell its workers."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from distkeras.engines.addresses import Endpoint
from distkeras.engines.serving import serving
from distkeras.engines.task import Job
from distkeras.rules import adag
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.shards.coordinator import Coordinator
from distkeras.vectors import Layout
from distkeras.worker import Assignment, train
from tests.linear import WIDTH, LinearReplica, Table
from tests.transport.peers import PATIENCE

SCHEDULE = Schedule(batch_size=4, window=3, epochs=2, seed=3)
LAYOUT = Layout(((WIDTH,),))


@pytest.mark.parametrize("tls", [False, True])
def test_a_worker_is_told_where_all_of_them_are(tls: bool) -> None:
    whole = ParameterServer(np.zeros(WIDTH, np.float32), adag(), workers=1)
    server = Coordinator(whole, 2, None)
    # What a model is no one asks here.
    job = Job(None, adag(), SCHEDULE, LAYOUT, None, 0, timeout=PATIENCE)  # type: ignore[arg-type]
    at = Endpoint("localhost", "127.0.0.1", tls=tls)
    try:
        with serving(server, job, at) as (tcp, told):
            assert (told.trust is not None) is tls
            assert [host for host, _ in told.shards] == ["localhost"] * 2
            ports = {told.address[1], *(port for _, port in told.shards)}
            assert len(ports) == 3
            there = pickle.loads(pickle.dumps(told))  # As it goes to a task.
            with there.channel() as channel:
                channel.announce(0, 0)
                replica = LinearReplica(4)
                train(Assignment(0, 0), Table(50), replica, channel, adag(), SCHEDULE)
            assert tcp.leases.has_come(0, 0)
        center = server.center_now()[0]
    finally:
        server.end()
    train(Assignment(0, 0), Table(50), LinearReplica(4), whole, adag(), SCHEDULE)
    assert center.tobytes() == whole.center.tobytes()


def test_the_default_is_the_server_alone() -> None:
    whole = ParameterServer(np.zeros(WIDTH, np.float32), adag(), workers=1)
    job = Job(None, adag(), SCHEDULE, LAYOUT, None, 0, timeout=PATIENCE)  # type: ignore[arg-type]
    with serving(whole, job, Endpoint("127.0.0.1", "127.0.0.1")) as (_, told):
        assert told.shards == ()
        with told.channel() as channel:
            assert channel.join(0, 0, 8).weights.tolist() == [0] * WIDTH
