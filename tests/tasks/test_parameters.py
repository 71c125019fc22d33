from __future__ import annotations

import datetime
from pathlib import Path

import luigi
import pytest
from luigi.cmdline_parser import CmdlineParser

from distkeras.errors import ConfigError
from tasks import Evaluate
from tasks.parameters import DayParameter, RepeatedParameter
from tests.tasks.workspace import Workspace


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    luigi.Task.clear_instance_cache()
    return Workspace.create(tmp_path, rows=10)


def made(*arguments: str) -> luigi.Task:
    command = ["--module", "tasks", "Evaluate", "--config", "config.toml", *arguments]
    with CmdlineParser.global_instance(command) as parser:
        return parser.get_task_obj()


def test_repeated_flags_are_collected_in_order() -> None:
    task = made("--set", "train.seed=1", "--set", 'train.metrics=["mae"]', "--set=train.seed=2")
    assert task.set == ("train.seed=1", 'train.metrics=["mae"]', "train.seed=2")
    assert task.experiment.train.seed == 2


def test_no_flag_is_no_override() -> None:
    assert made().set == ()


def test_overrides_reach_the_upstream_tasks() -> None:
    task = made("--set", "train.seed=1")
    assert {up.set for up in task.requires().values()} == {("train.seed=1",)}


def test_the_scheduler_can_make_the_same_task_again() -> None:
    task = made("--set", "train.seed=1", "--set", 'train.loss="ä"')
    again = Evaluate.from_str_params(task.to_str_params())
    assert again.task_id == task.task_id
    assert again.set == task.set


def test_tasks_with_other_overrides_are_other_tasks() -> None:
    first, second = made("--set", "train.seed=1"), made("--set", "train.seed=2")
    assert first.task_id != second.task_id
    assert first.task_id.startswith("Evaluate_")


def test_tasks_with_one_result_are_one_task() -> None:
    first, second = made("--set", "train.seed=1"), made("--set", "train.seed=2")
    assert first.requires()["preprocess"] == second.requires()["preprocess"]
    assert len({first.requires()["preprocess"], second.requires()["preprocess"]}) == 1
    elsewhere = made("--set", "train.seed=1", "--set", "output=elsewhere")
    assert elsewhere.key == first.key
    assert elsewhere != first


def test_one_override_alone_may_stand_in_luigi_cfg() -> None:
    assert RepeatedParameter().parse("train.seed=1") == ("train.seed=1",)


@pytest.mark.parametrize("text", ["2013-02-30", "tomorrow", ""])
def test_a_day_that_is_none_is_told_of_in_a_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"no date; must be like 2013-03-01$"):
        DayParameter().parse(text)
    assert DayParameter().parse("2013-03-01") == datetime.date(2013, 3, 1)
