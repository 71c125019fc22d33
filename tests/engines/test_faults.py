"""Every window is merged once, whatever happens to its worker: in a real Spark that retries it.

Processes end by SIGKILL at every point of an exchange, connections are cut, tasks raise three
times, and a stage is run again because its shuffle files are gone.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.engines.faulty_workers import AFTER_THE_ANSWER, BATCH, PLACES, ROWS, WINDOW, Fault

#: Where a worker's process ends, or only its connection; in any order and together.
SUDDEN = [*list(PLACES)[:6], AFTER_THE_ANSWER]


class Asked(NamedTuple):
    """One training."""

    workers: int
    epochs: int
    faults: list[Fault]
    squares: bool = False
    worker_timeout: float = 600.0


def drawn(seed: int) -> list[Fault]:
    """Three faults for each of two workers: as many failures as Spark forgives."""
    chance = random.Random(seed)
    places = SUDDEN * 6
    chance.shuffle(places)
    # A cut is no failure of an attempt: the one that follows it must come at the same attempt.
    faults = []
    for worker in (0, 1):
        attempt, window = 0, 0
        for _ in range(3):
            place = places.pop()
            window += chance.randint(1, 2)
            faults.append(Fault(worker, attempt, window, place))
            if "cut" not in place:
                attempt, window = attempt + 1, 0
    return faults


#: The center of each is known.
DISTURBED = [
    *(Asked(2, 2, drawn(seed)) for seed in (0, 1, 3)),
    Asked(2, 2, [Fault(1, 0, 2, "lost shuffle files"), Fault(1, 1, 1, "lost shuffle files")]),
    Asked(2, 2, [Fault(0, 0, 2, "a pause"), Fault(1, 0, 3, "a pause")], worker_timeout=30.0),
]
#: Ends with an error; the training after it is the next one.
STOPPED = Asked(2, 2, [Fault(1, 0, 2, "a stop")], worker_timeout=3.0)
#: The center of the second is that of the first.
ALONE = [
    Asked(1, 2, [], squares=True),
    Asked(1, 2, [Fault(0, n, 2, place) for n, place in enumerate(SUDDEN[:3])], squares=True),
]
TOGETHER = [*DISTURBED, *ALONE]
ALL = [STOPPED, *TOGETHER]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("faults")
    script = Path(__file__).with_name("faulty_workers.py")
    asked = json.dumps([one._asdict() for one in ALL])
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        input=asked,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def results(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return outcomes[1:]


def test_a_worker_that_was_stopped_is_named(outcomes: list[dict[str, Any]]) -> None:
    assert outcomes[0]["error"].startswith(
        "ExchangeTimeout: the parameter server heard nothing of worker 1 at 127.0.0.1:"
    )
    assert "for 3 s (worker_timeout)" in outcomes[0]["error"]


def test_there_are_as_many_faults_as_are_asked_for() -> None:
    assert sum(len(one.faults) for one in TOGETHER) >= 20
    assert {fault.place for one in DISTURBED for fault in one.faults} == {
        *(*SUDDEN, "lost shuffle files", "a pause")
    }


@pytest.mark.parametrize("number", range(len(TOGETHER)))
def test_every_fault_happened_and_every_window_was_merged_once(
    results: list[dict[str, Any]], number: int
) -> None:
    asked, found = TOGETHER[number], results[number]
    assert found["happened"] == sorted("-".join(map(str, fault)) for fault in asked.faults)
    assert found["report"]["rows_merged"] == ROWS * asked.epochs
    windows = asked.workers * asked.epochs * ROWS // (asked.workers * BATCH * WINDOW)
    assert found["report"]["windows"] == found["windows"] == windows


@pytest.mark.parametrize("number", range(len(DISTURBED)))
def test_two_workers_end_at_the_known_center(results: list[dict[str, Any]], number: int) -> None:
    # The means of the features over eight rows, and of the bias' gradient, for each step of 1/64.
    steps = ROWS * DISTURBED[number].epochs / BATCH / 64
    assert results[number]["weights"] == [3.5 / 8 * steps, 1.5 / 4 * steps, steps]


def test_one_worker_ends_at_the_same_center_bit_for_bit(results: list[dict[str, Any]]) -> None:
    plain, disturbed = results[-2:]
    assert plain["weights"] == disturbed["weights"]
    assert len(set(plain["weights"])) > 1
