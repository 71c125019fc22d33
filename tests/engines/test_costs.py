"""What was measured with one worker, as the conditions of a simulation with several."""

from __future__ import annotations

import numpy as np
import pytest

from distkeras.conversation import Record
from distkeras.engines.conditions import Conditions, Constant, Measured
from distkeras.engines.costs import Costs
from distkeras.engines.simulated import Simulation
from distkeras.errors import ConfigError
from distkeras.rules import adag
from distkeras.schedule import Schedule
from tests.linear import LinearReplica, Table, server_of


def trained(seconds: list[float], samples: int = 12, wait: float = 0.5) -> list[Record]:
    """The windows of a worker: each is merged so many seconds after the one before."""
    times = np.cumsum(seconds)
    return [
        Record(0, 0, number, samples, (0.5,), 0, wait, time) for number, time in enumerate(times)
    ]


def test_what_a_window_takes_is_its_exchange_and_its_mini_batches() -> None:
    records = trained([9.0] + [3.5] * 9 + [6.5])
    records.append(Record(0, 0, 11, 5, (0.5,), 0, 7.0, records[-1].timestamp + 60))
    costs = Costs.of(records, batch_size=4, service=0.2)
    # Neither the first window, of which nobody knows when it began, nor the last, a shorter one.
    assert costs.batches == (1.0,) * 9 + (2.0,)
    assert (costs.service, costs.delay) == (0.2, pytest.approx(0.15))
    assert costs.told() == {
        "windows": 10,
        "batch_seconds": 1.1,
        "batch_median_seconds": 1.0,
        "service_seconds": 0.2,
        "delay_seconds": costs.delay,
    }


def test_one_worker_with_the_costs_takes_what_was_measured() -> None:
    costs = Costs.of(trained([3.5] * 12), batch_size=4, service=0.25)
    server = server_of(adag())
    place = server, Schedule(4, 3, 1, 0), [Table(48)], lambda *_: LinearReplica(4)
    Simulation(*place, costs.conditions(seed=1)).run()
    times = [record.timestamp for record in server.history]
    np.testing.assert_allclose(np.diff(times), 3.5)
    assert {record.exchange_wait for record in server.history} == {0.5}
    assert {record.cpu_seconds for record in server.history} == {0.0}


def test_an_exchange_may_take_longer_than_the_worker_waits() -> None:
    # As where it is made while the next window is trained.
    assert Costs.of(trained([3.5] * 12, wait=0.0), 4, service=0.25).delay == 0


@pytest.mark.parametrize(
    ("records", "complaint"),
    [
        ([], "0 whole windows one after another are too few"),
        (trained([1.0] * 10), "9 whole windows .* which takes 10"),
        ([Record(worker, 0, 0, 4, (0.5,), 0, 0.0, 1.0) for worker in (0, 1)], "not of several"),
    ],
)
def test_what_measures_nothing_is_refused(records: list[Record], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Costs.of(records, 4, 0.1)


def test_of_what_was_measured_one_is_drawn_for_a_whole_window() -> None:
    server, sizes = server_of(adag()), Measured((1.0, 5.0))
    place = server, Schedule(4, 3, 1, 0), [Table(480)], lambda *_: LinearReplica(4)
    Simulation(*place, Conditions(sizes, delay=Constant(0.0), alike=True)).run()
    assert set(np.diff([record.timestamp for record in server.history])) == {3.0, 15.0}


@pytest.mark.parametrize("seconds", [(), (1.0, -1.0), (float("nan"),)])
def test_times_that_no_clock_shows_are_refused(seconds: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="seconds is"):
        Measured(seconds)
