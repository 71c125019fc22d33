from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.tasks.workspace import Run, Workspace


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Run]:
    """A working directory in which the whole pipeline has run once, and what that run said.

    The experiment keeps its predictions, and event files in board/. Nobody changes it: all
    processes of tests have the one that the first of them has made.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, said = shared / "pipeline", shared / "pipeline.json"
    with (shared / "pipeline.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            folder.mkdir()
            said.write_text(json.dumps(asdict(_run_once(folder))))
    return Workspace(folder), Run(**json.loads(said.read_text()))


def _run_once(folder: Path) -> Run:
    workspace = Workspace.create(folder)
    with (folder / "config.toml").open("a") as config:
        config.write("\n[evaluate]\npredictions = true\n")
    return workspace.luigi("--set", "train.tensorboard=board")


@pytest.fixture
def finished(pipeline: tuple[Workspace, Run], tmp_path: Path) -> Workspace:
    """A copy of it, modification times included, for one test to change."""
    workspace, run = pipeline
    assert run.status == 0, run.stderr
    folder = tmp_path / "copy"
    shutil.copytree(workspace.folder, folder)
    return Workspace(folder)
