"""What a user reads when something is wrong: one line, a status, and nothing half-written."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tasks.workspace import MODEL, Run, Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path, rows=20)


def the_error(run: Run) -> str:
    """The only line that a run prints, luigi's summary aside."""
    assert run.status != 0
    assert "Traceback" not in run.stderr
    (line,) = run.errors
    return line.removeprefix("ERROR: ")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.nun_workers=2", "--set train.nun_workers=2: unknown key train.nun_workers; did"),
        ("train.trainer=ADGA", "--set train.trainer=ADGA: unknown trainer; did you mean 'ADAG'?"),
        ("train.rho=1", "--set train.rho=1: train: ADAG takes no rho"),
        ("train.seed=4294967296", "--set train.seed=4294967296: input should be less than"),
        ("output=s3a://nn/x", "--set output=s3a://nn/x: only local paths, file:///"),
        (
            'train.worker_optimizer={name="sgd", learning_rate=-1}',
            '--set train.worker_optimizer={name="sgd", learning_rate=-1}: train.worker_optimizer: '
            "learning_rate = -1: must be a number greater than 0",
        ),
        (
            "preprocess.sources.events.path=evnts.csv",
            "config.toml: preprocess.sources.events.path: evnts.csv: no such file",
        ),
        (
            "train.model.function=smal:mlp",
            "config.toml: train.model.function = 'smal:mlp': no module smal in",
        ),
        (
            'train.model={file="none.keras"}',
            "config.toml: train.model.file: none.keras: no such file",
        ),
    ],
)
def test_found_before_anything_starts(workspace: Workspace, override: str, expected: str) -> None:
    run = workspace.luigi("--set", override)
    assert the_error(run).startswith(expected)
    assert run.status == 40
    assert run.stderr.splitlines() == run.errors
    assert not (workspace.folder / "output").exists()


def test_missing_config_is_one_line(workspace: Workspace) -> None:
    command = [word for word in workspace.command() if word not in ("--config", "config.toml")]
    run = workspace.run(command)
    assert the_error(run) == "Evaluate: requires the 'config' parameter to be set"
    assert run.status == 40


def test_unknown_task_is_one_line(workspace: Workspace) -> None:
    run = workspace.luigi(task="Preproces")
    assert the_error(run).startswith("No task Preproces. Did you mean: Preprocess")
    assert run.stderr.splitlines() == run.errors


def test_status_is_right_without_luigi_cfg(workspace: Workspace) -> None:
    (workspace.folder / "luigi.cfg").unlink()
    run = workspace.luigi("--local-scheduler", "--set", "train.sed=1")
    assert the_error(run).endswith("did you mean train.seed?")
    assert run.status == 40


def test_unknown_spark_setting_is_named(workspace: Workspace) -> None:
    with (workspace.folder / "luigi.cfg").open("a") as config:
        config.write("executor_memori = 1g\n")
    assert the_error(workspace.luigi()).endswith("did you mean executor-memory?")


def test_no_java_is_said_at_once(workspace: Workspace) -> None:
    run = workspace.luigi(JAVA_HOME=str(workspace.folder))
    start = f"Java was not found (JAVA_HOME is {workspace.folder}, without bin/java)"
    assert the_error(run).startswith(start)
    assert run.status == 30
    assert run.failed == ["Preprocess"]
    assert workspace.published() == []
    assert workspace.leftovers() == []


def test_traceback_is_there_on_demand(workspace: Workspace) -> None:
    run = workspace.luigi("--log-level", "DEBUG", JAVA_HOME=str(workspace.folder))
    assert "EnvironmentProblem: Java was not found" in run.stderr
    assert "Traceback" in run.stderr


SEVERAL = """
import luigi
import tasks


class Several(luigi.WrapperTask):
    def requires(self):
        for task, change in CHANGES:
            yield getattr(tasks, task)(config="config.toml", set=change)
"""

ODD_MODELS = """

def narrow(dimension, classes, units):
    return mlp(dimension - 1, classes, units)


def wide(dimension, classes, units):
    return mlp(dimension, classes + 1, units)


def nothing(units):
    return None


def failing(units):
    raise RuntimeError(f"no model of {units} units")


def leaving(units):
    raise SystemExit("enough")


def raw(dimension, classes, units):
    return keras.Sequential([keras.Input((dimension,)), keras.layers.Dense(classes)])
"""

# Each is a task that fails, and what it says.
WRONG: list[tuple[str, list[str], str]] = [
    (
        "Train",
        ["train.model.function=small:narrow"],
        "train.model.function = 'small:narrow': the model's input shape is (2,), "
        "the data has 3 features",
    ),
    (
        "Train",
        ["train.model.function=small:wide"],
        "train.model.function = 'small:wide': the model's output shape is (3,), "
        "the data has 2 classes",
    ),
    ("Train", ["train.model.function=small:nothing"], "is NoneType, not a keras.Model"),
    (
        "Train",
        ["train.model.function=small:failing"],
        "train.model: small:failing raised RuntimeError: no model of 8 units",
    ),
    (
        "Train",
        ["train.model.function=small:leaving"],
        "train.model: small:leaving raised SystemExit: enough",
    ),
    (
        "Train",
        ["train.model.function=boom:mlp"],
        "train.model.function = 'boom:mlp': importing boom raised ZeroDivisionError: division",
    ),
    (
        "Train",
        ["train.model.arguments.unit=8"],
        "train.model.arguments: small:mlp: got an unexpected keyword argument 'unit'",
    ),
    (
        "Train",
        ['train.model={file="damaged.keras"}'],
        "damaged.keras: cannot be loaded as a Keras model",
    ),
    ("Train", ["train.worker_optimizer=adm"], "worker_optimizer 'adm'"),
    ("Train", ["train.loss=crossentropy"], "loss 'crossentropy'"),
    ("Train", ["train.num_workers=1000"], "fewer than num_workers=1000"),
    (
        "Train",
        ['train.worker_optimizer={name="sgd", learning_rate=1e30}', "train.loss=mse"],
        "window",
    ),
    ("Preprocess", ["preprocess.label.column=clas"], "did you mean"),
    ("Preprocess", ["preprocess.sql=SELECT fLength, 'g' AS class FROM events"], "one class"),
    ("Preprocess", ["preprocess.sql=SELECT nothing FROM events"], "preprocess.sql: "),
]


@pytest.fixture(scope="module")
def several(
    pipeline: tuple[Workspace, Run], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, Run]:
    """All that is wrong only later, in one luigi run, so that Spark starts once."""
    finished, run = pipeline
    assert run.status == 0, run.stderr
    folder = tmp_path_factory.mktemp("wrong") / "copy"
    shutil.copytree(finished.folder, folder)
    workspace = Workspace(folder)
    (folder / "small.py").write_text(MODEL + ODD_MODELS)
    (folder / "boom.py").write_text(MODEL + "1 / 0\n")
    (folder / "damaged.keras").write_bytes(b"PK no archive")
    changes = [(task, change) for task, change, _ in WRONG]
    (folder / "several.py").write_text(f"CHANGES = {changes!r}\n{SEVERAL}")
    command = workspace.command()
    command[4:] = ["several", "Several"]
    before = set(workspace.published())
    done = workspace.run(command)
    assert set(workspace.published()) == before
    return workspace, done


def test_wrong_things_found_later_fail_one_by_one(several: tuple[Workspace, Run]) -> None:
    workspace, run = several
    assert run.status == 30
    assert "Traceback" not in run.stderr
    assert len(run.errors) == len(WRONG), run.stderr
    assert workspace.leftovers() == []


@pytest.mark.parametrize(("change", "expected"), [(c[-1], e) for _, c, e in WRONG])
def test_wrong_thing_is_named(several: tuple[Workspace, Run], change: str, expected: str) -> None:
    _, run = several
    said = [line for line in run.errors if expected in line]
    assert len(said) == 1, f"{change}: {run.errors}"


@pytest.fixture
def tiny_disk(workspace: Workspace) -> Iterator[Path]:
    disk = workspace.folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, check=False).returncode:
        pytest.skip("a tiny disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_no_disk_space_is_one_line(tiny_disk: Path) -> None:
    workspace = Workspace.create(tiny_disk.parent, rows=19_000)
    run = workspace.luigi("--set", f"output={tiny_disk}", task="Preprocess")
    assert "no space left on" in the_error(run)
    assert [str(path) for path in tiny_disk.rglob("*") if path.name == "manifest.json"] == []
    assert list(tiny_disk.glob("*/*")) == []
