"""Workers and a server over real sockets: the verbs and the endings."""

from __future__ import annotations

import logging
import os
import resource
import socket
import threading
from contextlib import ExitStack, suppress

import numpy as np
import pytest

from distkeras.conversation import Failure, Update
from distkeras.errors import (
    DataError,
    EnvironmentProblem,
    ProtocolError,
    Superseded,
    TrainingDiverged,
    TrainingError,
)
from distkeras.messages import HEADER, NONCE, Header, Kind
from distkeras.rules import RULES, Rule, single
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.transport.place import Place
from distkeras.transport.tcp import TcpServer
from distkeras.worker import Assignment, train
from tests.linear import LinearReplica, Table, server_of, trained_alone
from tests.transport import peers
from tests.transport.peers import PATIENCE, TOKEN, channel_to


def update(
    sequence: int, vector: object = (1, 2, 3), loss: float = 0.5, partition: int = 0
) -> Update:
    values = np.asarray(vector, np.float32)
    return Update(partition, 0, 0, sequence, 4, np.float32([loss]), values, 0.0)


def ours() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("distkeras-")}


@pytest.mark.parametrize("name", RULES)
def test_training_over_tcp_is_training_in_process(name: str) -> None:
    rows, schedule = Table(50), Schedule(batch_size=4, window=3, epochs=2, seed=3)
    near, far = server_of(RULES[name]()), server_of(RULES[name]())
    replica = LinearReplica(4)
    train(Assignment(0, 0), rows, replica, near, near.rule, schedule)
    with TcpServer(far, TOKEN) as tcp, channel_to(tcp.address) as channel:
        train(Assignment(0, 0), rows, replica, channel, far.rule, schedule)
    np.testing.assert_array_equal(far.center, near.center)
    assert [(r.window, r.samples, r.metrics) for r in far.history] == [
        (r.window, r.samples, r.metrics) for r in near.history
    ]
    assert far.unfinished == []
    assert all(record.exchange_wait > 0 for record in far.history)


def test_rows_merged_and_a_stop_reach_the_worker(
    server: ParameterServer, address: tuple[str, int]
) -> None:
    with channel_to(address) as channel:
        assert channel.join(0, 0, 8)[2:4] == (0, False)
        assert channel.exchange(update(0))[1:4] == (0, 4, False)
        server.stop("enough")
        assert channel.exchange(update(1))[1:4] == (0, 8, True)
        assert channel.join(1, 0, 8)[2:4] == (8, True)


def test_single_over_tcp_is_plain_local_training() -> None:
    rows, schedule = Table(50), Schedule(batch_size=4, window=3, epochs=2, seed=3)
    server = server_of(single())
    with TcpServer(server, TOKEN) as tcp, channel_to(tcp.address) as channel:
        train(Assignment(0, 0), rows, LinearReplica(4), channel, server.rule, schedule)
    np.testing.assert_array_equal(server.center, trained_alone(rows, schedule))


def test_the_server_learns_all_that_the_worker_tells(
    server: ParameterServer, address: tuple[str, int]
) -> None:
    told = Update(3, 2**40, 5, 0, 6, np.float32([0.5]), np.float32([1, 2, 3]), 0.0)
    with channel_to(address) as channel:
        assert channel.join(3, 2**40, 6).sequence == 0
        assert channel.exchange(told).vector.tolist() == [1, 2, 3]
        assert channel.exchange(told._replace(sequence=1, wait=0.25, cpu=0.75)).staleness == 0
        channel.leave(3, 2**40, 0.5)
        channel.fail(Failure(3, "ValueError", "a message", "a\ntraceback"))
    first, second = server.history
    assert (first.worker, first.epoch, first.window, first.samples) == (3, 5, 0, 6)
    assert (first.exchange_wait, second.exchange_wait) == (0.25, 0.5)
    assert (first.cpu_seconds, second.cpu_seconds) == (0.0, 0.75)
    assert server.busy > 0
    assert server.unfinished == []
    assert server.failures == [Failure(3, "ValueError", "a message", "a\ntraceback")]


def test_a_failure_of_any_text_and_length_arrives(
    server: ParameterServer, address: tuple[str, int]
) -> None:
    with channel_to(address) as channel:
        channel.fail(Failure(0, "OSError", "no file \udcff\u00e4", "x" * 10**6))
    (failure,) = server.failures
    assert failure.error == "OSError"
    assert failure.message.endswith("\u00e4")
    assert len(failure.details) > 60_000


def test_what_the_server_refuses_is_raised_as_it_was(
    server: ParameterServer, address: tuple[str, int]
) -> None:
    server.join(0, 5, rows=8)
    with channel_to(address) as channel:
        with pytest.raises(Superseded, match="attempt 4 at worker 0 was superseded by 5"):
            channel.join(0, 4, 8)
        with pytest.raises(DataError, match="found 9 rows"):
            channel.join(0, 6, 9)
        channel.join(1, 0, 8)
        with pytest.raises(TrainingDiverged, match="the loss became nan at worker 1"):
            channel.exchange(update(0, loss=np.nan, partition=1))
        with pytest.raises(TrainingDiverged, match="a weight became NaN or infinite at worker 1"):
            channel.exchange(update(0, vector=[0, np.inf, 0], partition=1))
        with pytest.raises(ProtocolError, match="window 7, but 0 is next"):
            channel.exchange(update(7, partition=1))
        # The server hung up on that; the channel connects again.
        assert channel.exchange(update(0, partition=1)).vector.tolist() == [1, 2, 3]
    assert server.clock == 1


def test_a_rule_that_raises_is_told_to_the_worker_in_one_line() -> None:
    def merge(*_: object) -> tuple[np.ndarray, np.ndarray]:
        raise ZeroDivisionError("by nobody\nand on many lines")

    server = server_of(Rule("broken", lambda window: window.weights, merge, lambda w, _: w))
    with TcpServer(server, TOKEN) as tcp, channel_to(tcp.address) as channel:
        channel.join(0, 0, 8)
        with pytest.raises(TrainingError, match=r"the server raised ZeroDivisionError: by nobody$"):
            channel.exchange(update(0))


def test_several_workers_at_once_lose_nothing(
    server: ParameterServer, address: tuple[str, int]
) -> None:
    def work(worker: int) -> None:
        with channel_to(address) as channel:
            channel.join(worker, 0, 25)
            for sequence in range(25):
                channel.exchange(update(sequence, [worker, 1, 0], partition=worker))
            channel.leave(worker, 0, 0.0)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.center.tolist() == [25 * (0 + 1 + 2 + 3), 100, 0]
    assert server.clock == 100
    assert server.unfinished == []


def test_the_end_takes_every_thread_and_connection_along(server: ParameterServer) -> None:
    before = ours()
    with ExitStack() as stack:
        with TcpServer(server, TOKEN) as tcp:
            idle = stack.enter_context(peers.connected(tcp.address))
            halfway = stack.enter_context(peers.connected(tcp.address))
            silent = stack.enter_context(peers.authenticated(tcp.address))
            channel = stack.enter_context(channel_to(tcp.address))
            channel.join(0, 0, 8)
            for connection in (idle, halfway):  # Their threads have begun.
                peers.read_exactly(connection, HEADER.size + NONCE)
            halfway.sendall(Header(Kind.HELLO, length=64).pack() + b"x")
            silent.sendall(Header(Kind.UPDATE, length=16).pack() + b"x")
            assert len(ours() - before) == 6  # The port's, four connections', the worker's heart.
            channel.__exit__(None, None, None)
        assert ours() == before
        for connection in (idle, halfway, silent):
            assert peers.read_all(connection) == b""
    with pytest.raises(ConnectionError):
        peers.connected(tcp.address)


def test_a_worker_that_leaves_takes_its_thread_along(server: ParameterServer) -> None:
    before = ours()
    with TcpServer(server, TOKEN) as tcp:
        with channel_to(tcp.address) as channel:
            channel.join(0, 0, 8)
            (worker,) = (thread for thread in ours() - before if "worker" in thread.name)
        worker.join(PATIENCE)
        assert not worker.is_alive()


def test_an_address_that_is_not_this_machines_is_named(server: ParameterServer) -> None:
    # 192.0.2.0/24 is reserved for documentation.
    with pytest.raises(EnvironmentProblem, match=r"cannot listen for workers at 192\.0\.2\.1:0"):
        TcpServer(server, TOKEN, Place("192.0.2.1"))


def test_the_ports_above_one_that_is_taken_are_tried(server: ParameterServer) -> None:
    with TcpServer(server, TOKEN) as first:
        taken = first.address[1]
        with TcpServer(server, TOKEN, Place(port=taken, retries=16)) as second:
            assert taken < second.address[1] <= taken + 16
        with pytest.raises(EnvironmentProblem, match=f"at 127.0.0.1:{taken}: Address already"):
            TcpServer(server, TOKEN, Place(port=taken))


def test_there_is_no_port_above_the_last(server: ParameterServer) -> None:
    with ExitStack() as taken:
        with suppress(OSError):  # Somebody else's, then.
            taken.enter_context(socket.create_server(("127.0.0.1", 65535)))
        with pytest.raises(EnvironmentProblem, match=r"127\.0\.0\.1:65535: Address already"):
            TcpServer(server, TOKEN, Place(port=65535, retries=99))


def test_an_ipv6_address_is_listened_at(server: ParameterServer) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as problem:
        pytest.skip(f"no IPv6 here: {problem}")
    with (
        TcpServer(server, TOKEN, Place("::1")) as tcp,
        channel_to(tcp.address) as channel,
    ):
        assert channel.join(0, 0, 8).sequence == 0


class _Told(logging.Handler):
    """Sets an event when a record of this module comes."""

    def __init__(self) -> None:
        super().__init__()
        self.event = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.event.set()


def test_a_lack_of_file_descriptors_does_not_end_the_server_for_later_workers(
    server: ParameterServer, address: tuple[str, int]
) -> None:
    told, log = _Told(), logging.getLogger("distkeras.transport.tcp")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    taken: list[int] = []
    log.addHandler(told)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 3, limits[1]))
    try:
        with suppress(OSError):  # Too many open files.
            while True:
                taken.append(os.dup(0))
        os.close(taken.pop())  # For our own end; the server's has none left.
        with peers.connected(address):
            assert told.event.wait(PATIENCE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        log.removeHandler(told)
        for descriptor in taken:
            os.close(descriptor)
    with channel_to(address) as channel:
        assert channel.join(0, 0, 8).sequence == 0
