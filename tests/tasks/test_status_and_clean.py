"""Status and Clean as a user runs them, over results whose content does not matter here."""

from __future__ import annotations

import os
import pty
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distkeras.errors import ConfigError
from distkeras.storage import write_json
from tasks import Clean, Status
from tasks.base import ExperimentTask
from tasks.plan import steps
from tests.tasks.workspace import Workspace

COMPARE = '\n[compare.grid]\n"train.seed" = [0, 1]\n'


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    ExperimentTask.clear_instance_cache()
    return Workspace.create(tmp_path, rows=10)


def finish(*overrides: str, config: str = "config.toml", finished: str = "2026-01-01") -> None:
    """Puts the manifests of all tasks where their results belong."""
    for step in steps(config, overrides):
        place = Path(step.task.output().url)
        if not place.exists():
            place.mkdir(parents=True)
            (place / "result").write_bytes(bytes(1000))
            about = {
                "name": step.task.task_family,
                "key": step.task.key,
                "depends_on": step.task.parts,
                "config_file": config,
                "overrides": list(overrides),
                "finished": finished,
            }
            write_json(place / "manifest.json", {"task": about})


@pytest.fixture
def status(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Prints the status; the lines of it, without what aligns their parts."""

    def printed(*overrides: str) -> list[str]:
        ExperimentTask.clear_instance_cache()
        Status(config="config.toml", set=overrides).run()
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return printed


@pytest.fixture
def clean(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Removes without asking; the lines that were printed."""

    def printed(*configs: str, others: bool = False) -> list[str]:
        ExperimentTask.clear_instance_cache()
        Clean(config=("config.toml", *configs), others=others, yes=True).run()
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return printed


def asked_to_clean(workspace: Workspace, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*workspace.command()[:4], "tasks", "Clean", "--config", "config.toml"],
        cwd=workspace.folder,
        env=workspace.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def families(workspace: Workspace) -> list[str]:
    return sorted(path.parent.name for path in workspace.published())


class TestStatus:
    def test_before_the_first_run(
        self, workspace: Workspace, status: Callable[..., list[str]]
    ) -> None:
        said = status()
        assert [line.rpartition(": ")[2] for line in said[:3]] == ["there is none yet"] * 3
        assert said[3] == "3 of 3 would run."
        assert not (workspace.folder / "output").exists()

    def test_when_all_is_there(
        self, workspace: Workspace, status: Callable[..., list[str]]
    ) -> None:
        finish()
        said = status()
        assert [line.split()[:2] for line in said[:3]] == [
            ["complete", "Preprocess"],
            ["complete", "Train"],
            ["complete", "Evaluate"],
        ]
        assert said[3] == "Everything is there."

    def test_a_changed_key_is_named_with_both_values(
        self, workspace: Workspace, status: Callable[..., list[str]]
    ) -> None:
        finish()
        preprocess, train, evaluate, _ = status(
            "train.seed=1", "train.rho=0.5", "train.trainer=AEASGD"
        )
        assert preprocess.startswith("complete ")
        assert 'train.rho: none -> 0.5, train.seed: 0 -> 1, train.trainer: "ADAG" -> ' in train
        assert evaluate.endswith(": Train would run")

    def test_a_touched_input_and_a_changed_model_are_named(
        self, workspace: Workspace, status: Callable[..., list[str]]
    ) -> None:
        finish()
        os.utime(workspace.folder / "events.csv", ns=(1, 1))
        with (workspace.folder / "small.py").open("a") as source:
            source.write("# changed\n")
        preprocess, train, _, _ = status()
        assert ": the input events has changed (against " in preprocess
        assert ": the model's source file has changed, Preprocess would run (" in train

    def test_the_most_similar_result_is_the_measure(
        self, workspace: Workspace, status: Callable[..., list[str]]
    ) -> None:
        finish()
        finish("train.seed=5", "train.batch_size=8", finished="2026-02-02")
        _, train, _, _ = status("train.seed=1")
        assert "train.seed: 0 -> 1 (against" in train

    def test_variants_are_listed_once_with_who_needs_them(
        self, workspace: Workspace, status: Callable[..., list[str]]
    ) -> None:
        finish()
        (workspace.folder / "config.toml").write_text(Path("config.toml").read_text() + COMPARE)
        said = status()
        assert [line.split("output")[0].split()[-1] for line in said[:-1]] == [
            "Preprocess", "Train", "Evaluate", "Train", "Evaluate", "Compare",
        ]  # fmt: skip
        assert "[seed=0; seed=1]" in said[0]
        assert said[3].startswith("would run Train output/Train/")
        assert "[seed=1]: train.seed: 0 -> 1 (against" in said[3]
        assert said[5].endswith(": there is none yet")
        assert said[-1] == "3 of 6 would run."

    def test_a_comparison_is_told_of_by_its_variants(
        self, workspace: Workspace, status: Callable[..., list[str]]
    ) -> None:
        text = Path("config.toml").read_text()
        Path("config.toml").write_text(text + COMPARE)
        finish()
        Path("config.toml").write_text(text + COMPARE.replace("0, 1", "1, 2"))
        *_, compare, summary = status()
        assert ": variant 'seed=2' is new, variant 'seed=0' is gone (against " in compare
        assert summary == "3 of 8 would run."
        finish("train.batch_size=8", "compare.grid=")
        assert "variant 'seed=1' would run, " in status("train.batch_size=8")[-2]

    def test_a_checkpoint_is_told_of(
        self, workspace: Workspace, status: Callable[..., list[str]]
    ) -> None:
        train = steps("config.toml", ())[1].task
        Path(f"output/Train/.{train.key}.checkpoints").mkdir(parents=True)
        said = status()
        assert said[1].endswith("there is none yet; goes on from a checkpoint")

    def test_an_unreadable_manifest_is_passed_over(
        self, workspace: Workspace, status: Callable[..., list[str]]
    ) -> None:
        finish()
        for manifest in workspace.folder.glob("output/*/*/manifest.json"):
            manifest.write_text("[1, 2")
        said = status("train.seed=1")
        assert said[1].endswith("there is none yet")

    def test_a_wrong_config_is_one_line(self, workspace: Workspace) -> None:
        run = workspace.luigi("--set", "train.sed=1", task="Status")
        assert run.status == 30
        assert run.errors == [
            "ERROR: --set train.sed=1: unknown key train.sed; did you mean train.seed?"
        ]


class TestClean:
    def test_removes_what_the_config_does_not_refer_to(
        self, workspace: Workspace, clean: Callable[..., list[str]]
    ) -> None:
        finish()
        before = workspace.published()
        finish("train.seed=1")
        finish("preprocess.split.seed=1")
        said = clean()
        assert workspace.published() == before
        assert workspace.leftovers() == []
        assert said[-1] == "5 removed."
        assert "--set train.seed=1" in " ".join(said)
        assert clean() == ["Nothing to remove."]

    def test_keeps_what_a_variant_or_another_given_config_refers_to(
        self, workspace: Workspace, clean: Callable[..., list[str]]
    ) -> None:
        finish()
        text = Path("config.toml").read_text()
        Path("other.toml").write_text(text.replace("window = 4", "window = 8"))
        Path("variants.toml").write_text(text + COMPARE)
        finish(config="other.toml")
        finish(config="variants.toml")
        before = workspace.published()
        clean("other.toml", "variants.toml", others=True)
        assert workspace.published() == before

    def test_keeps_what_configs_that_are_not_given_have_made_and_need(
        self, workspace: Workspace, clean: Callable[..., list[str]]
    ) -> None:
        finish()  # So that Preprocess says that it is of config.toml.
        text = Path("config.toml").read_text()
        Path("other.toml").write_text(text.replace("window = 4", "window = 8"))
        finish(config="other.toml")
        Path("config.toml").write_text(text + "\n[preprocess.split]\nseed = 5\n")
        assert clean()[-1] == "2 removed."
        assert families(workspace) == ["Evaluate", "Preprocess", "Train"]
        assert clean(others=True)[-1] == "3 removed."
        assert workspace.published() == []

    def test_refuses_without_a_terminal(self, workspace: Workspace) -> None:
        finish("train.seed=1")
        before = workspace.published()
        ran = asked_to_clean(workspace, stdin=subprocess.DEVNULL)
        assert ran.returncode == 30
        assert "there is no terminal: give --yes" in ran.stderr
        assert str(before[0].relative_to(workspace.folder)) in ran.stdout
        assert workspace.published() == before

    @pytest.mark.parametrize(("answer", "left"), [("", 3), ("y", 1)])
    def test_asks_on_a_terminal(self, workspace: Workspace, answer: str, left: int) -> None:
        finish("train.seed=1")
        ours, theirs = pty.openpty()
        os.write(ours, f"{answer}\n".encode())
        ran = asked_to_clean(workspace, stdin=theirs)
        os.close(theirs)
        os.close(ours)
        assert ran.returncode == 0, ran.stderr
        assert "Remove them? [y/N]" in ran.stdout
        assert len(workspace.published()) == left

    def test_touches_nothing_that_it_does_not_know(
        self,
        workspace: Workspace,
        tmp_path_factory: pytest.TempPathFactory,
        clean: Callable[..., list[str]],
    ) -> None:
        finish("train.seed=1")
        outside = tmp_path_factory.mktemp("outside")
        results = sorted(Path("output/Train").iterdir())
        moved = outside / results[0].name
        shutil.move(results[0], moved)
        results[0].symlink_to(moved)
        strange = [
            "output/notes.txt",
            "output/Train/notes.txt",
            "output/Train/mine/manifest.json",
            "output/Train/0123456789ab/data",
            "output/Other/0123456789ab/manifest.json",
            "output/Train/ba9876543210/manifest.json",
            "output/punchcard/jobs/1/manifest.json",
        ]
        for name in strange:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text('{"task": {"name": "Train", "key": "x", "depends_on": {}}}')
        clean(others=True)
        assert all(Path(name).exists() for name in strange)
        assert (moved / "manifest.json").exists()
        assert results[0].is_symlink()

    def test_what_killed_runs_have_left_goes(
        self, workspace: Workspace, clean: Callable[..., list[str]]
    ) -> None:
        finish()
        used = steps("config.toml", ())[1].task.key
        unused, host = "0123456789ab", socket.gethostname()
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        for name in (
            f".{unused}.staging-{host}-{ended.pid}-abc",
            f".{unused}.staging-{host}-{os.getpid()}-abc",
            f".{unused}.staging-elsewhere-{ended.pid}-abc",
            f".{used}.checkpoints",
            f".{unused}.checkpoints",
            ".ba9876543210.checkpoints",
            ".ba9876543210.job",
            f".{used}.job",
        ):
            Path("output/Train", name).mkdir(parents=True)
        Path("output/Compare/0123456789ab.partial").mkdir(parents=True)
        clean()
        left = {Path(name).name for name in workspace.leftovers()}
        assert f".{unused}.staging-{host}-{ended.pid}-abc" not in left
        assert f".{used}.job" not in left
        assert len(left) == 7
        clean(others=True)
        left = {Path(name).name for name in workspace.leftovers()}
        assert left == {
            f".{unused}.staging-{host}-{os.getpid()}-abc",
            f".{unused}.staging-elsewhere-{ended.pid}-abc",
            f".{used}.checkpoints",
            # A task with that key may be running.
            f".{unused}.checkpoints",
        }

    def test_a_wrong_config_removes_nothing(
        self, workspace: Workspace, clean: Callable[..., list[str]]
    ) -> None:
        finish("train.seed=1")
        Path("wrong.toml").write_text("[train]\n")
        with pytest.raises(ConfigError, match=r"^wrong\.toml: "):
            clean("wrong.toml")
        assert len(workspace.published()) == 3
