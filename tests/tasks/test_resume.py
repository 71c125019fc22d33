"""A run whose driver is killed while it trains; the next run goes on where it was."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

from tests.tasks.test_pipeline import start, until
from tests.tasks.workspace import Workspace

EPOCHS = 200
LONG = ("--set", f"train.num_epoch={EPOCHS}", "--set", "train.checkpoint_seconds=0.5")


def checkpoints(workspace: Workspace) -> list[Path]:
    """Those that are whole, the oldest first; glob's ``*`` would find the one being written."""
    return sorted(workspace.folder.glob("output/Train/.*.checkpoints/[0-9]*.checkpoint"))


def kill_in_training(workspace: Workspace, beyond: str) -> None:
    """Kills luigi's process, the driver, at a checkpoint that is newer than the given one."""
    with start(workspace, *LONG) as process:
        until(lambda: [p for p in checkpoints(workspace) if p.name > beyond], process)
        process.send_signal(signal.SIGKILL)


def test_a_killed_training_goes_on(finished: Workspace) -> None:
    workspace = finished
    shutil.rmtree(workspace.folder / "output/Train")
    kill_in_training(workspace, "")
    (*_, first) = checkpoints(workspace)
    kill_in_training(workspace, first.name)
    (*_, newest) = checkpoints(workspace)
    # Half of a checkpoint is none: the one before it is gone on from.
    newest.write_bytes(newest.read_bytes()[:-100])
    run = workspace.luigi(*LONG, task="Train")
    assert run.status == 0, run.stderr
    assert f"{newest.name}: left out: damaged" in run.stderr
    (trained,) = workspace.published("Train")
    made = json.loads((trained / "manifest.json").read_text())
    assert made["rows_merged"] == made["rows"] * EPOCHS
    assert 0 < made["rows_resumed"] < made["rows_merged"]
    assert workspace.leftovers() == []
