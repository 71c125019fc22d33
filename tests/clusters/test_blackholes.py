"""Packets between a worker and the server are lost, in one direction or the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scripts.clusters.namespaces import Host, Namespaces, unavailable
from tests.clusters.asking import REPOSITORY

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())

#: Seconds that a call may take; and what an end may be late, as the promise is.
TIMEOUT, LATE = 8.0, 5.0
#: Seconds that a loss lasts where it passes: enough for every kind of retry.
LOSS = 3.0
BOTH = pytest.mark.parametrize("sender", ["worker", "driver"])
FOLDER = Path(__file__).parent


def started(host: Host, script: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process on a host."""
    return host.popen(
        [sys.executable, str(FOLDER / script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


class Pair:
    """A server and a worker that has merged a window."""

    def __init__(self, driver: Host, worker: Host, silence: float) -> None:
        self.hosts = {"driver": driver, "worker": worker}
        self.server = started(driver, "distant_server.py", driver.address, silence)
        self.port = int(self.said(self.server))
        place = driver.address, self.port, TIMEOUT
        self.worker = started(worker, "distant_worker.py", *place)
        assert self.said(self.worker) == "merged"

    def lose(self, sender: str) -> None:
        """Has all be lost that one of them sends."""
        (other,) = self.hosts.keys() - {sender}
        self.hosts[sender].lose(self.hosts[other])

    def reach(self, sender: str) -> None:
        """Has it arrive again."""
        (other,) = self.hosts.keys() - {sender}
        self.hosts[sender].reach(self.hosts[other])

    def said(self, process: subprocess.Popen[str]) -> str:
        """The next line."""
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def outcome(self) -> dict[str, Any]:
        """What the server says at its end."""
        found: dict[str, Any] = json.loads(self.said(self.server))
        return found


@contextmanager
def a_pair(silence: float) -> Iterator[Pair]:
    """On two hosts; the server waits so long for a sign of life."""
    with Namespaces(["driver", "worker"]) as hosts:
        yield Pair(hosts["driver"], hosts["worker"], silence)


def last(pair: Pair) -> str:
    """What the worker says at its end."""
    return next(line for line in iter(lambda: pair.said(pair.worker), "") if line != "merged")


def seconds(wait: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.monotonic()
    wait()
    return time.monotonic() - began


@BOTH
def test_a_loss_that_passes_costs_nothing(sender: str) -> None:
    with a_pair(silence=60.0) as pair:
        pair.lose(sender)
        time.sleep(LOSS)
        pair.reach(sender)
        for _ in range(5):
            assert pair.said(pair.worker) == "merged"
        pair.worker.stdin.close()
        windows = int(last(pair))
        assert pair.outcome() == {"clock": windows, "rows": 4 * windows, "error": ""}


@BOTH
def test_a_loss_that_stays_ends_both_at_their_deadlines(sender: str) -> None:
    silence = 4.0
    with a_pair(silence) as pair:
        pair.lose(sender)
        said: list[str] = []
        assert seconds(lambda: said.append(pair.outcome()["error"])) < silence + LATE
        worker = pair.hosts["worker"].address
        assert f"heard nothing of worker 0 at {worker}:" in said[0]
        assert f"for {silence:g} s (worker_timeout)" in said[0]
        assert seconds(lambda: said.append(last(pair))) < TIMEOUT + LATE
        server = f"the parameter server at {pair.hosts['driver'].address}:{pair.port}"
        assert server in said[1]
        assert f"within {TIMEOUT:g} s" in said[1]
