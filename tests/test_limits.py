"""A number that no worker of this training can mean is refused before anything is kept of it."""

from __future__ import annotations

import numpy as np
import pytest

from distkeras.conversation import Failure
from distkeras.errors import ProtocolError, TrainingDiverged
from distkeras.limits import MAX_EPOCH, MAX_FAILURES, MAX_ROWS
from distkeras.rules import averaging, downpour
from distkeras.server import ParameterServer
from tests.linear import WIDTH, WORKERS, server_of, update

#: Finite, and twice it is not.
LARGE = np.full(WIDTH, 3e38, np.float32)
overflows = pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")


@pytest.fixture
def server() -> ParameterServer:
    """One worker of 8 rows has joined."""
    made = server_of(downpour())
    made.join(0, 0, rows=8)
    return made


@pytest.mark.parametrize("partition", [WORKERS, WORKERS + 1, 2**32 - 1])
def test_a_worker_beyond_the_last_is_refused_at_every_verb(
    server: ParameterServer, partition: int
) -> None:
    named = f"worker {partition} is none of the {WORKERS} of this training"
    with pytest.raises(ProtocolError, match=named):
        server.join(partition, 0, rows=8)
    with pytest.raises(ProtocolError, match=named):
        server.fail(Failure(partition, "OSError", "", ""))
    with pytest.raises(ProtocolError, match=f"worker {partition} spoke before it joined"):
        server.exchange(update(0, partition=partition))
    with pytest.raises(ProtocolError, match=f"worker {partition} spoke before it joined"):
        server.leave(partition, 0, 0.0)
    assert server.unfinished == [0]
    assert server.failures == []


def test_nobody_fills_the_servers_memory_by_joining(server: ParameterServer) -> None:
    joined = 0
    for partition in range(100_000):
        try:
            server.join(partition, 0, rows=8)
            joined += 1
        except ProtocolError:
            assert partition >= WORKERS
    assert joined == WORKERS


@pytest.mark.parametrize("rows", [0, MAX_ROWS + 1, 2**63, 2**64 - 1])
def test_a_partition_cannot_have_so_many_rows(server: ParameterServer, rows: int) -> None:
    with pytest.raises(ProtocolError, match=f"worker 3 joined with {rows} rows, not 1 to"):
        server.join(3, 0, rows)
    assert server.unfinished == [0]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"rows": 0}, r"worker 0 sent window 0 of 0 rows, not 1 to 8"),
        ({"rows": 9}, r"worker 0 sent window 0 of 9 rows, not 1 to 8"),
        ({"rows": 17, "epoch": 1}, r"of 17 rows, not 1 to 16"),
        ({"rows": 2**64 - 1}, rf"of {2**64 - 1} rows"),
        ({"rows": MAX_ROWS + 1, "epoch": MAX_EPOCH}, rf"of {MAX_ROWS + 1} rows"),
        ({"epoch": MAX_EPOCH + 1}, rf"window 0 of epoch {2**31}; {2**31 - 1} is the last"),
        ({"epoch": 2**32 - 1}, rf"of epoch {2**32 - 1}"),
        ({"wait": np.nan}, r"worker 0 waited nan s for its last exchange"),
        ({"wait": np.inf}, r"worker 0 waited inf s"),
        ({"wait": -1.0}, r"worker 0 waited -1\.0 s"),
        ({"cpu": np.nan}, r"worker 0 sent window 0 with nan processor seconds"),
        ({"cpu": -1.0}, r"window 0 with -1\.0 processor seconds"),
    ],
)
def test_a_window_that_the_partition_cannot_have_is_refused(
    server: ParameterServer, fields: dict[str, int], complaint: str
) -> None:
    before = server.center
    with pytest.raises(ProtocolError, match=complaint):
        server.exchange(update(0, **fields))
    assert server.center is before
    assert (server.clock, server.rows_merged, server.history) == (0, 0, [])
    server.exchange(update(0))


def test_a_window_longer_than_an_epoch_is_taken(server: ParameterServer) -> None:
    assert server.exchange(update(0, rows=16, epoch=1)).rows == 16


@pytest.mark.parametrize("sequence", [2, 2**63, 2**64 - 1])
def test_a_window_far_ahead_is_refused(server: ParameterServer, sequence: int) -> None:
    server.exchange(update(0))
    with pytest.raises(ProtocolError, match=f"sent window {sequence}, but 1 is next"):
        server.exchange(update(sequence))


def test_the_largest_numbers_that_a_worker_may_mean_fit_the_history() -> None:
    from distkeras.history import History

    server = server_of(downpour())
    server.join(WORKERS - 1, 2**64 - 1, MAX_ROWS)
    widest = {"partition": WORKERS - 1, "attempt": 2**64 - 1, "epoch": MAX_EPOCH}
    for sequence in range(2):
        server.exchange(update(sequence, rows=MAX_ROWS, **widest))
    assert History(server.history, ("loss",)).to_arrow()["samples"].to_pylist() == [MAX_ROWS] * 2


def test_a_wait_that_is_no_number_of_seconds_is_refused_on_leaving(server: ParameterServer) -> None:
    server.exchange(update(0))
    with pytest.raises(ProtocolError, match="worker 0 waited nan s"):
        server.leave(0, 0, np.nan)
    assert server.unfinished == [0]
    assert server.history[0].exchange_wait == 0.0


def test_of_many_failures_the_last_few_are_kept_of_each_worker(server: ParameterServer) -> None:
    server.fail(Failure(5, "OSError", "the only one", ""))
    for number in range(1000):
        server.fail(Failure(1, "OSError", f"number {number}", ""))
    last = range(1000 - MAX_FAILURES, 1000)
    assert [one.message for one in server.failures] == [
        "the only one",
        *(f"number {number}" for number in last),
    ]


@overflows
def test_finite_vectors_cannot_make_the_center_infinite(server: ParameterServer) -> None:
    server.join(1, 0, rows=8)
    server.exchange(update(0, LARGE))
    before = server.center
    with pytest.raises(TrainingDiverged, match="infinite with window 0 of worker 1: lower"):
        server.exchange(update(0, LARGE, partition=1))
    assert server.center is before
    assert (server.clock, server.rows_merged) == (1, 4)
    assert server.exchange(update(0, -LARGE, partition=1)).vector.tolist() == [0, 0, 0]


def test_a_refused_window_leaves_the_round_open_for_the_next_try() -> None:
    server = ParameterServer(np.zeros(WIDTH, np.float32), averaging(), workers=2)
    for partition in range(2):
        server.join(partition, 0, rows=8)
    assert server.offer(update(0, [2, 0, 0])) is None
    for bad in (update(0, [np.nan, 0, 0], partition=1), update(0, loss=np.inf, partition=1)):
        with pytest.raises(TrainingDiverged, match="at worker 1, epoch 0, window 0"):
            server.offer(bad)
    with pytest.raises(ProtocolError, match="worker 1 sent window 0 of 9 rows"):
        server.offer(update(0, partition=1, rows=9))
    assert (server.center.tolist(), server.clock) == ([0, 0, 0], 0)
    assert server.offer(update(0, [4, 0, 0], partition=1)) is not None
    assert (server.center.tolist(), server.clock) == ([3, 0, 0], 2)


@overflows
def test_a_round_of_finite_vectors_cannot_make_the_center_infinite() -> None:
    server = ParameterServer(np.zeros(WIDTH, np.float32), averaging(), workers=2)
    for partition in range(2):
        server.join(partition, 0, rows=8)
    assert server.offer(update(0, LARGE)) is None
    with pytest.raises(TrainingDiverged, match="window 0 of worker 0, 0 of worker 1: lower"):
        server.offer(update(0, LARGE, partition=1))
    with pytest.raises(TrainingDiverged):  # And so hears the one who waits.
        server.offer(update(0, LARGE))
    assert server.center.tolist() == [0, 0, 0]
    assert server.clock == 0
