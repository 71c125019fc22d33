"""The pipeline as a user runs it: real ``luigi`` processes, each with a Spark of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.tasks.workspace import Run, Workspace

ALL = ["Evaluate", "Preprocess", "Train"]


def until(condition: Callable[[], Any], process: subprocess.Popen[Any]) -> Any:
    """Waits for a condition while the process lives; what the condition gave."""
    deadline = time.monotonic() + 240
    while not (found := condition()):
        assert process.poll() is None, f"ended with {process.returncode} before the condition held"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def staging(workspace: Workspace, task: str) -> Callable[[], list[Path]]:
    return lambda: list(workspace.folder.glob(f"output/{task}/.*.staging-*"))


def start(workspace: Workspace, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        workspace.command(*arguments),
        cwd=workspace.folder,
        env=workspace.environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def jvms_below(process: int) -> list[int]:
    """The Java processes that a process has started, directly or not."""
    found: list[int] = []
    for line in told_of(process, f"task/{process}/children").split():
        child = int(line)
        if told_of(child, "comm").strip() == "java":
            found.append(child)
        found += jvms_below(child)
    return found


def told_of(process: int, name: str) -> str:
    """A file of /proc about a process; empty where it has ended, as a start's helpers soon do."""
    try:
        return Path(f"/proc/{process}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_first_run_runs_all(pipeline: tuple[Workspace, Run]) -> None:
    workspace, run = pipeline
    assert run.status == 0, run.stderr
    assert sorted(run.ran) == ALL
    assert len(workspace.published()) == 3
    assert workspace.leftovers() == []


def test_console_is_quiet(pipeline: tuple[Workspace, Run]) -> None:
    _, run = pipeline
    assert run.stdout == ""
    before_summary = run.stderr.partition("INFO: \n===== Luigi Execution Summary")[0]
    known = (*ALL, "INFO: run=")
    strange = [line for line in before_summary.splitlines() if not line.startswith(known)]
    assert strange == []


def test_luigis_log_tells_of_the_training_and_its_workers(pipeline: tuple[Workspace, Run]) -> None:
    workspace, run = pipeline
    (trained,) = workspace.published("Train")
    made = json.loads((trained / "manifest.json").read_text())
    begins = f"INFO: run={made['run']} "
    told = [line.removeprefix(begins) for line in run.stderr.splitlines() if begins in line]
    assert told[0] == f"training begins: ADAG, 2 workers, {made['rows']} rows in all epochs"
    assert told[1].startswith("workers connect to 127.0.0.1:")
    assert told[-1].startswith(f"training ended: {made['rows']} rows merged, ")
    for worker in range(2):
        joined, left = (line for line in told if line.startswith(f"worker={worker} "))
        assert re.fullmatch(r"worker=\d attempt=\d+ joined: \d+ rows", joined)
        assert re.fullmatch(r"worker=\d attempt=\d+ left after \d+ windows, .* s after it .*", left)


def test_results_hold_what_they_promise(pipeline: tuple[Workspace, Run]) -> None:
    workspace, _ = pipeline
    found = {path.parent.name: path for path in workspace.published()}
    contents = {name: set(os.listdir(path)) for name, path in found.items()}
    assert contents["Preprocess"] >= {"train", "test", "preprocessor.json", "manifest.json"}
    assert contents["Train"] >= {
        "model.keras",
        "preprocessor.json",
        "history.parquet",
        "manifest.json",
    }
    assert contents["Evaluate"] >= {"metrics.json", "report.html", "manifest.json"}
    manifest = json.loads((found["Train"] / "manifest.json").read_text())
    rows = pq.read_table(found["Preprocess"] / "train").num_rows
    assert manifest["rows_merged"] == manifest["rows"] == rows
    assert manifest["config"]["loss"] == "categorical_crossentropy"
    assert manifest["task"]["depends_on"]["upstream"] == {"preprocess": found["Preprocess"].name}
    assert {"python", "tensorflow", "keras", "pyspark"} <= set(manifest["task"]["versions"])
    history = pq.read_table(found["Train"] / "history.parquet")
    assert sum(history["samples"].to_pylist()) == rows
    metrics = json.loads((found["Evaluate"] / "metrics.json").read_text())
    assert 0.5 < metrics["accuracy"] <= 1
    kept = pq.read_table(found["Evaluate"] / "predictions")
    assert kept.num_rows == metrics["rows"]
    assert {"label", "prediction", "loss"} <= set(kept.column_names)


def test_again_runs_nothing_and_imports_nothing_heavy(finished: Workspace) -> None:
    command = [sys.executable, "-X", "importtime", *finished.command()[1:]]
    run = finished.run(command)
    assert run.status == 0
    assert "Did not run any tasks" in run.stderr
    timed = [line for line in run.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in timed}
    assert "luigi" in imported
    assert imported.isdisjoint({"tensorflow", "keras", "pyspark", "py4j", "matplotlib"})


def kill_in(task: str, workspace: Workspace) -> int:
    """Starts a run and ends it with SIGKILL while the task is at work; its JVM's process id."""
    with start(workspace) as victim:
        until(staging(workspace, task), victim)
        (java,) = until(lambda: jvms_below(victim.pid), victim)
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
    return int(java)


def test_touching_the_input_runs_all_and_a_killed_run_is_finished_by_the_next(
    finished: Workspace,
) -> None:
    before = finished.published()
    os.utime(finished.folder / "events.csv")
    jvms = [kill_in("Preprocess", finished)]
    assert finished.published() == before
    assert finished.leftovers() != []
    jvms.append(kill_in("Train", finished))
    (added,) = set(finished.published()) - set(before)
    assert added.parent.name == "Preprocess"
    again = finished.luigi()
    assert again.status == 0, again.stderr
    assert sorted(again.ran) == ["Evaluate", "Train"]
    assert [len(finished.published(task)) for task in ALL] == [2, 2, 2]
    assert finished.leftovers() == []
    assert not any(Path(f"/proc/{java}").exists() for java in jvms)


@contextmanager
def long_training(workspace: Workspace) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A run in the midst of a training that would take hours, and its JVM's process id."""
    with start(workspace, "--set", "train.num_epoch=10000") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line == "Train: training\n":
                break
        (java,) = jvms_below(process.pid)
        yield process, java


def test_interrupt_ends_cleanly(finished: Workspace) -> None:
    with long_training(finished) as (process, java):
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=240)[1]
        assert process.returncode == -signal.SIGINT
    assert said.splitlines()[-1] == "Interrupted: finished tasks keep their results."
    assert "Traceback" not in said
    assert not Path(f"/proc/{java}").exists()
    assert finished.leftovers() == []


def test_a_killed_jvm_is_one_line(finished: Workspace) -> None:
    with long_training(finished) as (process, java):
        os.kill(java, signal.SIGKILL)
        said = process.communicate(timeout=240)[1]
        run = Run(process.returncode, "", said)
    assert run.status == 30
    assert "Traceback" not in said
    (error,) = run.errors
    assert error.startswith("ERROR: Spark's JVM was killed (SIGKILL)")
    assert finished.leftovers() == []


@contextmanager
def luigid(folder: Path) -> Iterator[int]:
    """A real central scheduler; gives its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    program = "from luigi.cmdline import luigid; luigid()"
    options = ["--address", "127.0.0.1", "--port", str(port), "--state-path", str(folder / "state")]
    command = [sys.executable, "-c", program, *options, "--logdir", str(folder)]
    with subprocess.Popen(command, cwd=folder) as process:
        try:
            until(lambda: answers(port), process)
            yield port
        finally:
            process.terminate()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def known_tasks(port: int) -> dict[str, Any]:
    query = '{"status":"","upstream_status":""}'.replace('"', "%22")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/task_list?data={query}") as answer:
        tasks: dict[str, Any] = json.load(answer)["response"]
    return {task["name"]: task for task in tasks.values()}


def test_changing_train_runs_train_and_evaluate_and_the_visualiser_sees_them(
    finished: Workspace, tmp_path: Path
) -> None:
    (finished.folder / "central.cfg").write_text("[core]\nlocal_scheduler = false\n")
    with luigid(tmp_path) as port:
        options = ["--scheduler-host", "127.0.0.1", "--scheduler-port", str(port), "--workers", "2"]
        changed = ["--set", "train.trainer=DOWNPOUR"]
        run = finished.luigi(*options, *changed, LUIGI_CONFIG_PATH="central.cfg")
        known = known_tasks(port)
    assert run.status == 0, run.stderr
    assert sorted(run.ran) == ["Evaluate", "Train"]
    assert {name: task["status"] for name, task in known.items()} == dict.fromkeys(ALL, "DONE")
    for name in ("Train", "Evaluate"):
        assert known[name]["tracking_url"].startswith("http://")
        assert known[name]["status_message"]
    assert known["Train"]["progress_percentage"] == 100
    assert finished.leftovers() == []


def test_show_prints_measures_and_times_without_spark(finished: Workspace) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "tasks", "show", "config.toml"]
    run = finished.run(command)
    assert run.status == 0
    for text in ("accuracy", "Where the time went", "Preprocess", "report.html"):
        assert text in run.stdout
    assert "| pyspark\n" not in run.stderr
    assert "| tensorflow\n" not in run.stderr
    other = finished.run([*command[:1], *command[3:], "--set", "train.seed=9"])
    assert other.status == 1
    assert other.errors == [line for line in other.stderr.splitlines() if "not there yet" in line]
    assert len(other.errors) == 1
    assert other.errors[0].endswith("Evaluate --config config.toml --set train.seed=9")


@pytest.mark.parametrize("task", ["Preprocess", "Train"])
def test_a_step_alone_is_there_already(finished: Workspace, task: str) -> None:
    run = finished.luigi(task=task)
    assert run.status == 0
    assert run.ran == []
