"""The pipeline with every path on a real HDFS, as a user runs it and while its parts fail."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distkeras import storage
from distkeras.command import main
from distkeras.storage.hdfs_settings import HdfsSettings, hdfs_settings, use_hdfs_settings
from scripts.clusters.hadoop import await_that
from scripts.clusters.hdfs import Hdfs
from tests.tasks.workspace import Workspace

ALL = ["Evaluate", "Preprocess", "Train"]
#: Seconds that storage tries for; a pipeline's error is there soon after.
TIMEOUT = 15


@pytest.fixture(autouse=True)
def reached(hdfs: Hdfs, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process reaches the HDFS too."""
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hdfs.conf_dir))
    before = hdfs_settings()
    use_hdfs_settings(HdfsSettings(timeout=TIMEOUT))
    yield
    use_hdfs_settings(before)


def experiment(hdfs: Hdfs, folder: Path) -> tuple[Workspace, str]:
    """A working directory whose data and results are below the returned URL."""
    workspace, home = Workspace.create(folder), f"{hdfs.url}/{folder.name}"
    for url in (home, f"{home}/raw"):
        storage.files_of(url).make_directory(url)
    storage.write_bytes(f"{home}/raw/events.csv", (folder / "events.csv").read_bytes())
    (folder / "events.csv").unlink()
    config = (folder / "config.toml").read_text().replace("events.csv", f"{home}/raw/events.csv")
    (folder / "config.toml").write_text(f'output = "{home}/results"\n{config}')
    with (folder / "luigi.cfg").open("a") as cfg:
        cfg.write(f"hadoop_conf_dir = {hdfs.conf_dir}\n[webhdfs]\ntimeout = {TIMEOUT}\n")
    return workspace, home


def results(home: str, task: str = "*") -> list[str]:
    """What counts as complete."""
    found = storage.find(f"{home}/results/{task}/*/manifest.json")
    return [str(manifest.place.parent) for manifest in found]


def unfinished(home: str) -> list[str]:
    """Whatever stands beside the results and is not complete."""
    whole = results(home)
    folders = [found.place for found in storage.find(f"{home}/results/*")]
    inside = [folder / entry.name for folder in folders for entry in entries(str(folder))]
    return [str(place) for place in inside if str(place) not in whole]


def written_after(home: str, moment: int) -> bool:
    """Whether a checkpoint is younger than this moment, in nanoseconds since 1970."""
    train = f"{home}/results/Train"
    if not storage.exists(storage.locate(train)):
        return False
    folders = [entry.name for entry in entries(train) if entry.name.startswith(".")]
    inside = [one for name in folders for one in entries(f"{train}/{name}")]
    return any(entry.modified > moment for entry in inside)


def entries(url: str) -> list[storage.Entry]:
    return storage.files_of(url).entries(url)


def start(workspace: Workspace, task: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        workspace.command(*arguments, task=task),
        cwd=workspace.folder,
        env=workspace.environment(),
        stderr=subprocess.PIPE,
        text=True,
    )


def await_line(process: subprocess.Popen[str], says: Callable[[str], bool]) -> None:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if says(line):
            return
    pytest.fail(f"ended with {process.wait()} before it said so:\n{''.join(said)}")


def is_training(line: str) -> bool:
    return line.startswith("Train: ") and "samples/s" in line


def test_runs_once_and_can_be_loaded(hdfs: Hdfs, tmp_path: Path) -> None:
    workspace, home = experiment(hdfs, tmp_path)
    first = workspace.luigi()
    assert first.status == 0, first.stderr
    assert sorted(first.ran) == ALL
    assert len(results(home)) == len(ALL)
    assert unfinished(home) == []
    assert not (tmp_path / "output").exists()

    again = workspace.luigi()
    assert again.status == 0, again.stderr
    assert again.ran == []
    shown = workspace.run([workspace.command()[0], "-m", "tasks", "show", "config.toml"])
    assert "accuracy" in shown.stdout
    assert home in shown.stdout

    assert raw_accuracy(home) > 0.7


def raw_accuracy(home: str) -> float:
    """Of a model that was published, on raw rows that are scored without Spark."""
    (trained,), scored = results(home, "Train"), f"{home}/new/scored.parquet"
    where = ["--model", trained, "--input", f"{home}/raw/events.csv", "--output", scored]
    assert main(["predict", *where]) == 0
    assert [entry.name for entry in entries(f"{home}/new")] == ["scored.parquet"]
    rows = pq.read_table(pa.BufferReader(storage.read_bytes(scored)))
    pairs = zip(rows["predicted"].to_pylist(), rows["class"].to_pylist(), strict=True)
    right = [found == label for found, label in pairs]
    return sum(right) / len(right)


@pytest.mark.long
def test_a_model_file_on_hdfs_starts_a_training(hdfs: Hdfs, tmp_path: Path) -> None:
    workspace, home = experiment(hdfs, tmp_path)
    import keras

    layers = [keras.Input((3,)), keras.layers.Dense(2, "softmax")]
    storage.save_model(keras.Sequential(layers), f"{home}/start.keras")
    path = workspace.folder / "config.toml"
    config = path.read_text().replace('function = "small:mlp"', f'file = "{home}/start.keras"')
    path.write_text(config.replace("arguments = { units = 8 }", ""))
    run = workspace.luigi(task="Train")
    assert run.status == 0, run.stderr


@pytest.mark.long
def test_training_outlives_a_restart_of_the_namenode(hdfs: Hdfs, tmp_path: Path) -> None:
    workspace, home = experiment(hdfs, tmp_path)
    often = ("--set", "train.checkpoint_seconds=2")
    with start(workspace, "Train", "--set", "train.num_epoch=1200", *often) as training:
        await_line(training, is_training)
        hdfs.namenode.kill()
        await_line(training, lambda line: "no checkpoint could be written, training" in line)
        before = time.time_ns()
        hdfs.start()
        await_that("a checkpoint is there", lambda: written_after(home, before))
        _, said = training.communicate()
    assert training.returncode == 0, said
    assert len(results(home, "Train")) == 1
    assert unfinished(home) == []


@pytest.mark.long
def test_nothing_counts_where_no_datanode_is_left(hdfs: Hdfs, tmp_path: Path) -> None:
    workspace, home = experiment(hdfs, tmp_path)
    with start(workspace, "Train", "--set", "train.num_epoch=100") as training:
        await_line(training, is_training)
        for datanode in hdfs.datanodes:
            datanode.kill()
        _, said = training.communicate()
    assert training.returncode == 30, said
    (error,) = [line for line in said.splitlines() if line.startswith("ERROR")]
    assert f"{home}/results/Train/" in error
    assert "cannot write" in error
    assert results(home, "Train") == []

    hdfs.start()
    again = workspace.luigi("--set", "train.num_epoch=100", task="Train")
    assert again.status == 0, again.stderr
    assert again.ran == ["Train"]
    assert unfinished(home) == []


@pytest.mark.long
def test_a_killed_run_leaves_what_the_next_one_removes(hdfs: Hdfs, tmp_path: Path) -> None:
    workspace, home = experiment(hdfs, tmp_path)
    with start(workspace, "Preprocess") as killed:
        await_that("the staging directory is there", lambda: bool(unfinished(home)))
        killed.send_signal(signal.SIGKILL)
    assert results(home) == []
    again = workspace.luigi(task="Preprocess")
    assert again.status == 0, again.stderr
    assert unfinished(home) == []


@pytest.mark.long
def test_an_unreachable_namenode_is_one_line(hdfs: Hdfs, tmp_path: Path) -> None:
    workspace, _ = experiment(hdfs, tmp_path)
    began = time.monotonic()
    run = workspace.luigi("--set", "output=hdfs://127.0.0.1:1/x")
    assert run.status != 0
    (error,) = run.errors
    assert "hdfs://127.0.0.1:1/x/" in error
    assert "set [webhdfs] port or HADOOP_CONF_DIR" in error
    assert time.monotonic() - began < 2 * TIMEOUT + 30


@pytest.mark.long
def test_one_of_many_reruns_is_what_stands_there(hdfs: Hdfs, tmp_path: Path) -> None:
    workspace, home = experiment(hdfs, tmp_path)
    before = workspace.luigi(task="Train")
    assert before.status == 0, before.stderr
    script = [workspace.command()[0], str(Path(__file__).with_name("many_reruns.py")), "100"]
    run = workspace.run([*script, "config.toml"])
    assert run.status == 0, run.stderr
    assert len(results(home, "Evaluate")) == 1
    assert unfinished(home) == []
