"""Sweep as a user runs it; that Spark trains trials, and stops them, is tested once, at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from distkeras.errors import ConfigError
from distkeras.storage import write_json
from tasks import Clean, Status, Sweep
from tasks.base import ExperimentTask
from tasks.config import load_experiment
from tasks.sweep.goal import Goal
from tasks.sweep.search import Search, Stopped
from tasks.sweep.sweep import Tried
from tasks.sweep.trial import Trial
from tests.tasks.workspace import Run, Workspace
from tests.test_comparison import BINARY
from tests.test_report import Page, history

TABLE = """
[train.worker_optimizer]
name = "sgd"

[sweep]
trials = 4
startup = 2
{more}

[sweep.space]
train.worker_optimizer.learning_rate = {{ low = 1e-4, high = 0.1, log = true }}
train.batch_size = [16, 32, 64]
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    made = Workspace.create(tmp_path, rows=10)
    monkeypatch.chdir(tmp_path)
    ExperimentTask.clear_instance_cache()
    add(TABLE.format(more=""))
    return made


def add(text: str) -> None:
    with Path("config.toml").open("a") as config:
        config.write(text)


def publish(task: ExperimentTask, **files: Any) -> None:
    """Puts a result where the task's belongs."""
    place = Path(task.output().url)
    if place.exists():
        return
    place.mkdir(parents=True)
    for name, content in files.items():
        write_json(place / f"{name}.json", content)
    pq.write_table(history(), place / "history.parquet")
    about = {"name": task.task_family, "key": task.key, "depends_on": task.parts}
    made = {"task": {**about, "config_file": "config.toml"}, "config": {"num_epoch": 1}}
    write_json(place / "manifest.json", {**made, "rows": 1})


class Runner:
    """Puts results in the place of training.

    Args:
        accuracy: of each trial in turn, what it is to reach; None for one that is stopped, a text
            for one that fails.
    """

    def __init__(self, *accuracy: float | str | None) -> None:
        self.left = list(accuracy)
        self.ran: list[str] = []
        self.rivals: list[int] = []

    def __call__(self, tasks: Mapping[str, Trial]) -> dict[str, str]:
        failures = {}
        for name, task in tasks.items():
            if task.complete():
                continue
            self.ran.append(name)
            self.rivals.append(len(task.rivals))
            reached = self.left.pop(0)
            if isinstance(reached, str):
                failures[name] = reached
            elif reached is None:
                self.stop(task)
            else:
                self.finish(task, reached)
        return failures

    def finish(self, task: Trial, accuracy: float) -> None:
        for step in (task.requires()["preprocess"], task.training):
            publish(step)
        publish(task.evaluation, metrics={**BINARY, "accuracy": accuracy})

    def stop(self, task: Trial) -> None:
        publish(task.requires()["preprocess"])
        publish(task)
        path = Path(task.output().url) / "manifest.json"
        ended = {"because": "it was behind", "epochs": 0.5, "of": 1, "told": {"4": 0.5}}
        path.write_text(json.dumps(json.loads(path.read_text()) | {"ended": ended}))


def swept(runner: Callable[..., Any] | None, *overrides: str) -> list[Tried]:
    ExperimentTask.clear_instance_cache()
    return list(Sweep(config="config.toml", set=overrides).tried(runner))


def values(tried: Sequence[Tried]) -> list[Mapping[str, str]]:
    return [one.drawn.values for one in tried]


class TestTrials:
    @pytest.mark.parametrize("sampler", ["random", "tpe"])
    def test_a_later_run_trains_only_what_is_missing(
        self, workspace: Workspace, sampler: str
    ) -> None:
        sampled = (f"sweep.sampler={sampler}",)
        runner = Runner(*(0.6 + 0.01 * n for n in range(12)))
        first = swept(runner, *sampled, "sweep.trials=12")
        assert len(runner.ran) == 12
        again, more = Runner(), Runner(0.9, 0.8)
        assert values(swept(again, *sampled, "sweep.trials=12")) == values(first)
        raised = swept(more, *sampled, "sweep.trials=14")
        assert values(raised[:12]) == values(first)
        assert more.ran == ["trial 13", "trial 14"]

    def test_what_was_stopped_is_not_tried_again(self, workspace: Workspace) -> None:
        runner = Runner(0.8, 0.7, None, 0.75)
        tried = swept(runner)
        assert tried[2].outcome is not None
        assert tried[2].outcome.stopped == Stopped("it was behind", 0.5, 1, {4: 0.5})
        assert values(swept(Runner())) == values(tried)

    def test_there_must_be_enough_to_keep_up_with(self, workspace: Workspace) -> None:
        runner = Runner(0.8, None, 0.7, 0.75, 0.6)
        swept(runner, "sweep.trials=5")
        assert runner.rivals == [0, 0, 0, 2, 3]

    def test_nothing_is_stopped_where_that_is_not_wanted(self, workspace: Workspace) -> None:
        runner = Runner(0.8, 0.7, 0.75, 0.6)
        swept(runner, "sweep.percentile=100")
        assert runner.rivals == [0, 0, 0, 0]

    def test_trials_of_one_round_do_not_know_of_each_other(self, workspace: Workspace) -> None:
        runner = Runner(0.8, 0.7, 0.75, 0.6, 0.5)
        tried = swept(runner, "sweep.trials=5", "sweep.at_once=2", "sweep.startup=1")
        assert runner.rivals == [0, 0, 2, 2, 4]
        more = Runner(0.4)
        raised = swept(more, "sweep.trials=6", "sweep.at_once=2", "sweep.startup=1")
        assert values(raised[:5]) == values(tried)
        assert more.ran == ["trial 6"]

    def test_the_same_values_run_once(self, workspace: Workspace) -> None:
        runner = Runner(0.8, None)
        space = "sweep.space={train.batch_size=[16, 32]}"
        tried = swept(runner, space, "sweep.trials=8", "sweep.startup=1")
        assert len(tried) == 8
        assert len(runner.ran) == 2

    def test_a_failed_one_hides_none_and_is_tried_again(self, workspace: Workspace) -> None:
        runner = Runner(0.8, "Trial: no space", 0.7, 0.6)
        tried = swept(runner)
        assert [one.outcome and one.outcome.failed for one in tried] == [
            "",
            "Trial: no space",
            "",
            "",
        ]
        again = Runner(0.9)
        assert values(swept(again)) == values(tried)
        assert again.ran == ["trial 2"]

    def test_values_that_do_not_go_together_fail(self, workspace: Workspace) -> None:
        space = 'sweep.space={train.trainer=["ADAG", "SingleTrainer"], train.num_workers=[1, 2]}'
        with pytest.raises(ConfigError, match=r"sweep\.space: .*SingleTrainer"):
            swept(None, space.replace("[1, 2]", "[2, 1]"))
        tried = swept(Runner(*[0.5] * 4), space, "sweep.trials=12")
        failed = [one.outcome.failed for one in tried if one.outcome and one.outcome.failed]
        assert failed
        assert all("a SingleTrainer has 1" in one for one in failed)

    def test_a_variant_that_is_there_already_is_a_trial(self, workspace: Workspace) -> None:
        found = swept(None)
        assert found[0].task is not None
        assert found[0].outcome is None
        Runner().finish(found[0].task, 0.7)
        runner = Runner(0.8, 0.75, 0.6)
        swept(runner)
        assert runner.ran == ["trial 2", "trial 3", "trial 4"]


class TestStatusAndClean:
    def said(self, capsys: pytest.CaptureFixture[str], task: Any, **given: Any) -> list[str]:
        ExperimentTask.clear_instance_cache()
        task(**given).run()
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    def test_the_status_has_the_trials(
        self, workspace: Workspace, capsys: pytest.CaptureFixture[str]
    ) -> None:
        swept(Runner(0.8, None, "fails", "fails"))
        lines = self.said(capsys, Status, config="config.toml")
        assert lines[0].endswith("[trial 1; trial 2; trial 3]")
        assert any(line.startswith("complete Trial") and "[trial 2]" in line for line in lines)
        assert any(line.startswith("would run Train") and "[trial 3]" in line for line in lines)
        assert any(line.startswith("would run Sweep") for line in lines)
        # What comes after that is not known yet.
        assert not any("trial 4" in line for line in lines)

    def test_what_a_sweep_refers_to_stays(
        self, workspace: Workspace, capsys: pytest.CaptureFixture[str]
    ) -> None:
        swept(Runner(0.8, None, 0.7, 0.6))
        run = sweep(workspace)
        assert run.status == 0, run.stderr
        everything = workspace.published()
        nothing = ["Nothing to remove."]
        assert self.said(capsys, Clean, config=("config.toml",), yes=True) == nothing
        config = Path("config.toml").read_text()
        alone = config[: config.index("[sweep]")]
        Path("other.toml").write_text(alone)
        assert self.said(capsys, Clean, config=("other.toml",), yes=True) == nothing
        # Trials that the cleaned config has made, for a sweep that another one has.
        (made,) = Path("output/Sweep").glob("*/manifest.json")
        whose = made.read_text()
        made.write_text(whose.replace('"config.toml"', '"elsewhere.toml"'))
        Path("config.toml").write_text(alone)
        assert self.said(capsys, Clean, config=("config.toml",), yes=True) == nothing
        assert workspace.published() == everything
        made.write_text(whose)
        Path("config.toml").write_text(config.replace("trials = 4", "trials = 2"))
        self.said(capsys, Clean, config=("config.toml",), yes=True)
        left = [path.parent.name for path in workspace.published()]
        assert left == ["Evaluate", "Preprocess", "Train", "Trial"]


def sweep(workspace: Workspace, *arguments: str) -> Run:
    """A run in which whatever needs Spark fails at once."""
    return workspace.luigi(*arguments, task="Sweep", JAVA_HOME=str(workspace.folder))


def test_a_failed_trial_is_shown_as_failed(workspace: Workspace) -> None:
    swept(Runner(0.8, 0.7, "fails", None))
    run = sweep(workspace)
    assert run.status == 30
    assert "Traceback" not in run.stderr
    *_, last = run.errors
    assert last.startswith("ERROR: 1 of 4 trials failed: trial 3: ")
    (path,) = workspace.folder.glob("output/Sweep/*.partial/report.json")
    found = json.loads(path.read_text())
    assert found["best"] == [1]
    assert [set(one) & {"accuracy", "failed", "stopped"} for one in found["trials"]] == [
        {"accuracy"},
        {"accuracy"},
        {"failed"},
        {"stopped"},
    ]
    page = Page(path.with_name("report.html").read_text()).text
    assert "1 was stopped, 1 failed" in page
    assert "this accuracy is optimistic" in page


def test_without_optuna_one_line_says_what_to_install(workspace: Workspace) -> None:
    Path("optuna.py").write_text("raise ImportError\n")
    run = sweep(workspace)
    assert run.status == 30
    assert "Traceback" not in run.stderr
    assert run.errors == [
        "ERROR: [sweep] needs optuna, which is not installed: pip install 'distkeras[sweep]'"
    ]


REAL = """
[train.worker_optimizer]
name = "sgd"

[sweep]
trials = 3
sampler = "random"
seed = {seed}
startup = 1
watch = "loss"

[sweep.space]
train.worker_optimizer.learning_rate = [0.05, 50.0, 1e30]
train.num_epoch = [2, 100000]
"""
#: One that comes to its end, one that would never, and one that diverges.
WANTED = [("0.05", "2"), ("50.0", "100000"), ("1e+30", "2")]


def seed_of(wanted: Sequence[tuple[str, ...]]) -> int:
    """One with which just these values are drawn, whatever optuna's version makes of it."""
    spec = load_experiment("config.toml").sweep
    assert spec is not None
    for seed in range(10_000):
        search = Search(spec.model_copy(update={"seed": seed}), Goal("accuracy", "loss"))
        if all(tuple(search.draw().values.values()) == each for each in wanted):
            return seed
    raise AssertionError("no seed draws that")


def test_trials_are_trained_and_hopeless_ones_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace.create(tmp_path, rows=300)
    monkeypatch.chdir(tmp_path)
    config = Path("config.toml").read_text().replace("= 4", '= 2\ntrainer = "SingleTrainer"')
    Path("config.toml").write_text(config + REAL.format(seed=0))
    Path("config.toml").write_text(config + REAL.format(seed=seed_of(WANTED)))
    run = workspace.luigi(task="Sweep")
    assert run.status == 0, run.stderr
    whole, behind, diverged = json.loads(
        next(tmp_path.glob("output/Sweep/*/report.json")).read_text()
    )["trials"]
    assert 0.3 < whole["accuracy"] < 1
    assert behind["stopped"].startswith("after 0.")
    assert "was behind the median of 1 training at that point" in behind["stopped"]
    assert diverged["stopped"].startswith("it diverged: ")
    # No model of what was stopped, and no checkpoint.
    assert len(workspace.published("Train")) == len(workspace.published("Evaluate")) == 1
    assert len(workspace.published("Trial")) == 2
    assert workspace.leftovers() == []
    again = workspace.luigi("--set", "sweep.trials=2", task="Sweep", JAVA_HOME=str(tmp_path))
    assert again.status == 0, again.stderr
    assert again.ran == ["Sweep"]
