"""A run that is killed anywhere and resumed ends where an undisturbed one does, bit for bit."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distkeras.conversation import Answer, Update
from distkeras.rules import RULES
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.worker import Assignment, train
from tests.linear import LinearReplica, Table, server_of


class Killed(Exception):
    """The worker is gone."""


class When(Enum):
    """Where in an exchange the worker dies."""

    UNSENT = "before the window is sent"
    MERGED = "after it is merged"
    SENT_TWICE = "after it is merged and was sent again"


class Mortal:
    """A channel to a real server, on which the worker dies at its n-th exchange."""

    def __init__(self, server: ParameterServer, exchanges: int, when: When) -> None:
        self._server = server
        self._left = exchanges
        self._when = when
        self.join, self.leave, self.fail = server.join, server.leave, server.fail

    def exchange(self, update: Update) -> Answer:
        self._left -= 1
        dies = self._left < 0
        if dies and self._when is When.UNSENT:
            raise Killed
        answer = self._server.exchange(update)
        if dies and self._when is When.SENT_TWICE:
            self._server.exchange(update)
        if dies:
            raise Killed
        return answer


def run(
    name: str, rows: Table, schedule: Schedule, deaths: list[tuple[int, When]]
) -> ParameterServer:
    """Trains with an attempt for each death, and one that lives."""
    server = server_of(RULES[name]())
    for attempt, (exchanges, when) in enumerate(deaths):
        with suppress(Killed):
            one_attempt(server, Mortal(server, exchanges, when), attempt, rows, schedule)
    one_attempt(server, server, len(deaths), rows, schedule)
    return server


def one_attempt(
    server: ParameterServer,
    channel: Mortal | ParameterServer,
    attempt: int,
    rows: Table,
    schedule: Schedule,
) -> None:
    replica = LinearReplica(schedule.batch_size)  # A new process has a new replica.
    train(Assignment(0, attempt), rows, replica, channel, server.rule, schedule)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=60)
@given(
    schedule=st.builds(
        Schedule,
        batch_size=st.integers(1, 6),
        window=st.integers(1, 4),
        epochs=st.integers(1, 3),
        seed=st.integers(0, 9),
    ),
    rows=st.integers(1, 40),
    deaths=st.lists(st.tuples(st.integers(0, 12), st.sampled_from(When)), max_size=4),
)
def test_the_center_is_that_of_an_undisturbed_run(
    name: str, schedule: Schedule, rows: int, deaths: list[tuple[int, When]]
) -> None:
    table = Table(rows)
    undisturbed, disturbed = run(name, table, schedule, []), run(name, table, schedule, deaths)
    np.testing.assert_array_equal(disturbed.center, undisturbed.center)
    assert disturbed.clock == undisturbed.clock
    assert disturbed.rows_merged == rows * schedule.epochs
    windows = [record.window for record in disturbed.history]
    assert windows == list(range(len(windows)))
    assert disturbed.unfinished == []
