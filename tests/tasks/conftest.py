from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.tasks.workspace import Run, Workspace


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Run]:
    """A working directory in which the whole pipeline has run once, and what that run said.

    The experiment keeps its predictions.
    """
    workspace = Workspace.create(tmp_path_factory.mktemp("pipeline"))
    with (workspace.folder / "config.toml").open("a") as config:
        config.write("\n[evaluate]\npredictions = true\n")
    return workspace, workspace.luigi()


@pytest.fixture
def finished(pipeline: tuple[Workspace, Run], tmp_path: Path) -> Workspace:
    """A copy of it, modification times included, for one test to change."""
    workspace, run = pipeline
    assert run.status == 0, run.stderr
    folder = tmp_path / "copy"
    shutil.copytree(workspace.folder, folder)
    return Workspace(folder)
