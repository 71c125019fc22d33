"""Event files, read back while a real training writes them, and after."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tensorflow.compat.v1 import Event
from tensorflow.compat.v1.io import tf_record_iterator

from distkeras.errors import ConfigError, StorageError
from distkeras.history import Progress
from distkeras.monitor import Validation
from distkeras.observers import Beginning, EventFiles, Point
from distkeras.trainers import ADAG

RUNS = {"center", "worker-0", "worker-1"}
WORKERS = {
    *("training/loss", "training/accuracy", "training/samples_per_second"),
    *("exchange/staleness", "exchange/wait_seconds"),
}
CENTER = WORKERS | {"training/val_loss", "training/val_accuracy"}


def events(folder: Path) -> Iterator[Any]:
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for record in tf_record_iterator(str(file)):
            yield Event.FromString(record)


def values(folder: Path, tag: str) -> list[tuple[int, float]]:
    return [
        (event.step, one.simple_value)
        for event in events(folder)
        for one in event.summary.value
        if one.tag == tag
    ]


def tags(folder: Path) -> set[str]:
    return {one.tag for event in events(folder) for one in event.summary.value}


def test_a_training_of_two_workers_is_there_while_it_runs(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(640, 4)).astype("f4")
    rows = {"features": x, "label": (x[:, 0] > 0).astype("i4")}
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "softmax")])
    trainer = ADAG(model, "sgd", "categorical_crossentropy", num_epoch=10_000)
    seen: list[int] = []

    def look(now: Progress) -> None:
        if now.phase == "train" and all(len(tags(tmp_path / run)) >= 5 for run in RUNS):
            seen.append(values(tmp_path / "center", "training/loss")[-1][0])
            trainer.stop("seen")

    trainer.on_progress = look
    every = Validation(rows, every_epochs=None, every_seconds=1)
    trainer.train(rows, validation=every, observers=[EventFiles(tmp_path)])

    assert 0 < seen[0] <= trainer.report["rows_merged"] < 640 * 10_000
    assert {path.name for path in tmp_path.iterdir()} == RUNS
    assert tags(tmp_path / "center") == CENTER
    assert tags(tmp_path / "worker-0") == tags(tmp_path / "worker-1") == WORKERS
    check_against(trainer.history.records, tmp_path)
    measured = values(tmp_path / "center", "training/val_loss")
    assert [step for step, _ in measured] == [one.rows for one in trainer.history.validations]


def check_against(records: Any, folder: Path) -> None:
    """Every point is at a window that was merged, when it was."""
    merged = np.cumsum([one.samples for one in records])
    when = dict(zip(merged.tolist(), [one.timestamp for one in records], strict=True))
    for run in RUNS:
        shown = [
            event
            for event in events(folder / run)
            if any(one.tag == "training/loss" for one in event.summary.value)
        ]
        steps = [event.step for event in shown]
        assert steps == sorted(set(steps))
        assert all(event.wall_time == when[event.step] for event in shown)
    assert steps[-1] <= merged[-1]
    last, loss = values(folder / "center", "training/loss")[-1]
    assert last == merged[-1]
    assert min(one.metrics[0] for one in records) <= loss * 1.001


def test_what_was_trained_again_is_shown_once(tmp_path: Path) -> None:
    """A process is killed at step 100, and the next one goes on from a checkpoint at step 50."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    written(tmp_path, "a1", 0, {10: 1.0, 50: 0.5, 60: 0.4, 100: 0.3})
    (file,) = (tmp_path / "center").iterdir()
    with file.open("ab") as broken:
        broken.write(b"\x20\0\0\0\0\0\0\0 and no more")
    written(tmp_path, "b2", 50, {70: 0.35, 90: 0.2}).close(True)
    assert [step for step, _ in values(tmp_path / "center", "training/loss")] == [10, 50, 70, 90]
    for run in ("center", "worker-0"):
        read = accumulator.EventAccumulator(str(tmp_path / run))
        read.Reload()
        assert [one.step for one in read.Scalars("training/loss")] == [10, 50, 70, 90]


def test_a_training_that_begins_anew_is_shown_alone(tmp_path: Path) -> None:
    written(tmp_path, "a1", 0, {10: 1.0, 50: 0.5}).close(True)
    written(tmp_path, "b2", 0, {20: 0.9}).close(True)
    assert values(tmp_path / "worker-0", "training/loss") == [(20, pytest.approx(0.9))]


def written(folder: Path, run: str, rows: int, losses: dict[int, float]) -> EventFiles:
    files = EventFiles(folder)
    files.open(Beginning(run, rows, ("loss",)))
    for step, loss in losses.items():
        files.take([Point(name, step, 1e9, {"loss": loss}) for name in ("center", "worker-0")])
    return files


def test_who_goes_on_hears_what_is_still_to_be_shown(tmp_path: Path) -> None:
    """The checkpoint is at step 80; the killed process had no time to write what is after 50."""
    assert EventFiles(tmp_path).open(Beginning("none before", 80, ("loss",))) == 0
    written(tmp_path, "a1", 0, {10: 1.0, 50: 0.5})
    assert EventFiles(tmp_path).open(Beginning("b2", 80, ("loss",))) == 50


def test_a_disk_that_is_full_later_is_one_line(tmp_path: Path) -> None:
    """The limit of a file's size is what there is of a full disk without being root."""
    files, limits = EventFiles(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    files.open(Beginning("a run", 0, ("loss",)))
    points = [Point("center", step, 1e9, {"loss": 0.5}) for step in range(1000)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(StorageError, match=rf"^{tmp_path}: .*\Z"):
            files.take(points)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("url", ["hdfs://name:8020/logs", "s3://bucket/logs"])
def test_only_a_local_folder_will_do(url: str) -> None:
    with pytest.raises(ConfigError, match=f"^{url}: event files need a local folder"):
        EventFiles(url)


def test_a_folder_that_cannot_be_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file.*: (Not a directory|File exists)"):
        EventFiles(tmp_path / "file").open(Beginning("a run", 0, ("loss",)))
