from __future__ import annotations

import io

import pytest

from distkeras.history import Progress
from distkeras.progress_lines import describe
from tasks.progress import Reporter


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Visualiser:
    """The functions that luigi gives a running task, keeping what they are told."""

    task_family = "Train"

    def __init__(self) -> None:
        self.said: list[object] = []

    def set_status_message(self, text: str) -> None:
        self.said.append(text)

    def set_progress_percentage(self, percent: int) -> None:
        self.said.append(percent)

    def set_tracking_url(self, url: str) -> None:
        self.said.append(url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def task() -> Visualiser:
    return Visualiser()


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (Progress("check"), "training: looking at the rows"),
        (Progress("train", 5, 10, 0.25, 12345.6, 75.2), "12,346 samples/s, loss 0.2500, 1:15 left"),
        (Progress("train", 5, 10, 0.25, 1.0, 3725.0), "1 samples/s, loss 0.2500, 1:02:05 left"),
        (Progress("train", 5, 10, 0.25), "loss 0.2500"),
    ],
)
def test_description(now: Progress, text: str) -> None:
    assert describe(now) == text


def test_lines_and_messages_keep_their_distance(clock: Clock, task: Visualiser) -> None:
    stream = io.StringIO()
    report = Reporter(task, stream, clock=clock)
    for tick in range(42):
        clock.now = tick / 2
        report.training(Progress("train", tick, 82, 0.5))
    lines = stream.getvalue().splitlines()
    assert lines == [f"Train: {share}, loss 0.5000" for share in ("0%", "24%", "49%")]
    assert len(task.said) == 2 * 21
    assert task.said[-2:] == ["loss 0.5000", 48]


def test_the_end_is_always_told(clock: Clock, task: Visualiser) -> None:
    report = Reporter(task, io.StringIO(), clock=clock)
    report.training(Progress("train", 1, 10))
    report.training(Progress("train", 10, 10))
    assert task.said[-1] == 100


def test_phases_are_told_and_timed(clock: Clock, task: Visualiser) -> None:
    stream = io.StringIO()
    report = Reporter(task, stream, clock=clock)
    report.phase("starting")
    clock.now = 2
    report.phase("training")
    report.tracking("http://localhost:4040")
    report.tracking(None)
    clock.now = 5
    report.end_phase({"start": 1.0, "train": 2.0})
    clock.now = 9
    report.phase("saving")
    report.end_phase()
    assert task.said == ["starting", "training", "http://localhost:4040", "saving"]
    assert stream.getvalue().splitlines() == [
        f"Train: {p}" for p in ("starting", "training", "saving")
    ]
    expected = {"starting": 2.0, "training: start": 1.0, "training: train": 2.0, "saving": 0.0}
    assert report.seconds == expected
