"""What an experiment's config says of TensorBoard and MLflow."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from distkeras.errors import ConfigError
from tasks.config import load_experiment
from tasks.observing import flat
from tests.tasks.workspace import CONFIG, Run, Workspace


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return str(path)


def test_secrets_are_no_params() -> None:
    table = {
        "path": "https://me:hidden@host/rows.csv",
        "arguments": {"units": 8, "api_key": "hidden", "Password": "hidden", "deep": [1, 2]},
        "auth_token": "hidden",
        "sql": None,
    }
    expected = {"path": "https://host/rows.csv", "arguments.units": "8", "arguments.deep": "[1, 2]"}
    assert flat(table) == expected


def test_event_files_are_local(config: str) -> None:
    assert load_experiment(config, ["train.tensorboard=board"]).train.tensorboard == "board"
    with pytest.raises(ConfigError) as caught:
        load_experiment(config, ["train.tensorboard=hdfs://name:8020/board"])
    said = "train.tensorboard=hdfs://name:8020/board: hdfs://name:8020/board: event files need a"
    assert str(caught.value).startswith(f"--set {said} local folder")


def test_a_table_for_mlflow_needs_mlflow(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with Path(config).open("a") as file:
        file.write('\n[mlflow]\ntracking_uri = "http://127.0.0.1:5000"\n')
    with pytest.raises(ConfigError) as caught:
        load_experiment(config)
    said = "mlflow: MLflow is not installed: pip install 'distkeras[mlflow]'"
    assert str(caught.value) == f"{config}: {said}"


def test_the_pipeline_writes_event_files(pipeline: tuple[Workspace, Run]) -> None:
    workspace, _ = pipeline
    (trained,) = workspace.published("Train")
    runs = (workspace.folder / "board" / trained.name).iterdir()
    assert sorted(run.name for run in runs) == ["center", "worker-0", "worker-1"]
