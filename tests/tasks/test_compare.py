"""Compare as a user runs it; that a variant is trained with Spark is tested once, at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from distkeras.storage import write_json
from tasks import Compare
from tasks.base import ExperimentTask
from tasks.plan import steps
from tests.tasks.workspace import Run, Workspace
from tests.test_comparison import BINARY
from tests.test_report import Page, history

TABLE = """
[compare]
target = { accuracy = 0.7 }

[[compare.variants]]
name = "first"

[[compare.variants]]
name = "second"
preprocess.split.seed = 1

[[compare.variants]]
name = "third"
train.seed = 2
"""


# In place of Java: kills the Python process that, by way of Spark's shell scripts, has started it.
KILLS_THE_TASK = """#!/bin/bash
above=$PPID
until [[ $(< /proc/$above/comm) == python* ]]; do
    above=$(awk '{print $4}' /proc/$above/stat) || exit 1
done
kill -KILL $above
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    made = Workspace.create(tmp_path, rows=10)
    monkeypatch.chdir(tmp_path)
    with Path("config.toml").open("a") as config:
        config.write(TABLE)
    return made


def finish(*variants: str, accuracy: float = 0.8) -> None:
    """Puts results of the variants where those of their tasks belong."""
    ExperimentTask.clear_instance_cache()
    for step in steps("config.toml", ()):
        if isinstance(step.task, Compare) or not set(variants) & set(step.variants):
            continue
        place = Path(step.task.output().url)
        place.mkdir(parents=True, exist_ok=True)
        pq.write_table(history(), place / "history.parquet")
        write_json(place / "metrics.json", {**BINARY, "accuracy": accuracy})
        about = {"name": step.task.task_family, "key": step.task.key}
        write_json(place / "manifest.json", {"task": about, "config": {"loss": "mse"}})


def compare(workspace: Workspace, *arguments: str) -> Run:
    """A run in which whatever needs Spark fails at once."""
    return workspace.luigi(*arguments, task="Compare", JAVA_HOME=str(workspace.folder))


def report(workspace: Workspace) -> tuple[dict[str, Any], Path]:
    (path,) = workspace.folder.glob("output/Compare/*/report.json")
    return json.loads(path.read_text()), path.parent


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_failed_variant_is_shown_as_failed_and_tried_again(
    workspace: Workspace, workers: str
) -> None:
    finish("first", "third")
    run = compare(workspace, "--workers", workers)
    assert run.status == 30
    assert "Traceback" not in run.stderr
    assert run.failed == ["Preprocess"]
    *_, last = run.errors
    start = "ERROR: 1 of 3 variants failed: second: Preprocess: Java was not found (JAVA_HOME is"
    assert last.startswith(start)
    found, place = report(workspace)
    assert place.name.endswith(".partial")
    assert last.endswith(f"the report: {place.relative_to(workspace.folder)}/report.html")
    first, second, third = found["variants"]
    assert first["accuracy"] == third["accuracy"] == 0.8
    assert second["failed"].startswith("Preprocess: Java was not found")
    assert "1 of 3 variants failed" in Page((place / "report.html").read_text()).text

    finish("second", accuracy=0.9)
    run = compare(workspace, "--workers", workers)
    assert run.status == 0, run.stderr
    assert run.ran == ["Compare"]
    found, place = report(workspace)
    assert f"Compare: {place.relative_to(workspace.folder)}/report.html\n" in run.stderr
    assert found["best"]["accuracy"] == ["second"]
    assert [one["seconds_to_target"] for one in found["variants"]] == [4, 4, 4]
    made = json.loads((place / "manifest.json").read_text())
    assert made["variants"]["second"]["overrides"] == ["preprocess.split.seed=1"]
    assert place.name == made["task"]["key"]
    assert compare(workspace).ran == []


def test_a_variant_whose_process_is_killed_hides_none_of_the_others(workspace: Workspace) -> None:
    finish("first", "third")
    java = workspace.folder / "bin" / "java"
    java.parent.mkdir()
    java.write_text(KILLS_THE_TASK)
    java.chmod(0o755)
    run = compare(workspace, "--workers", "2")
    assert run.status == 30
    assert run.failed == ["Preprocess"]
    found, _ = report(workspace)
    assert ["failed" in one for one in found["variants"]] == [False, True, False]
    assert "died unexpectedly with exit code -9" in found["variants"][1]["failed"]


def test_what_all_variants_need_fails_for_all_of_them_once(workspace: Workspace) -> None:
    run = compare(workspace)
    assert run.status == 30
    assert run.failed == ["Preprocess"]
    found, _ = report(workspace)
    failed = [one["failed"] for one in found["variants"]]
    assert len(failed) == 3
    assert all(one.startswith("Preprocess: Java was not found") for one in failed)


def test_a_wrong_variant_is_told_of_before_anything_runs(workspace: Workspace) -> None:
    run = compare(workspace, "--set-list", "a: train.seed=1", "--set-list", "b: train.sed=2")
    assert run.status == 40
    (line,) = run.stderr.splitlines()
    start = "ERROR: config.toml: compare: variant 'b': train.sed=2: unknown key train.sed; did"
    assert line.startswith(start)
    assert not (workspace.folder / "output").exists()


def test_adding_a_variant_trains_only_that_one(finished: Workspace) -> None:
    luigi = finished.folder / "luigi.cfg"
    luigi.write_text(luigi.read_text().replace("local[2]", "local[1]"))  # Enough for one worker.
    named = (
        "as the file has it: train.num_epoch=1",
        "alone: train.trainer=SingleTrainer",
        "virtual: train.simulated=true; train.num_workers=3; train.communication_window=1",
    )
    options = [part for one in named for part in ("--set-list", one)]
    run = finished.luigi(*options, task="Compare")
    assert run.status == 0, run.stderr
    # First luigi's summary of the variants, then that of Compare itself.
    assert sorted(run.ran) == ["Evaluate", "Train"]
    assert [len(finished.published(task)) for task in ("Preprocess", "Train", "Compare")] == [
        1,
        4,  # One of them to measure what a window costs.
        1,
    ]
    assert finished.leftovers() == []
    found, place = report(finished)
    addresses = Page((place / "report.html").read_text()).addresses
    own = [place / address for address in addresses if not address.startswith("#")]
    assert len(own) == 3
    assert all(path.is_file() for path in own)
    for variant in found["variants"]:
        assert 0.5 < variant["accuracy"] <= 1
        assert variant["samples_per_second"] > 0
    costs = found["variants"][2]["simulated"]
    assert costs["measured"] in [place.name for place in finished.published("Train")]
    assert costs["windows"] >= 10
    assert 0 < costs["service_seconds"] < 1
    assert 0 < costs["batch_seconds"] < 10
    assert "virtual (simulated)" in (place / "report.html").read_text()
