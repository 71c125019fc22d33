"""Ctrl-C in a script or a notebook ends workers, server and files; the next training works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines.interrupted import ROWS

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("engine", ["local", "spark"])
def test_ctrl_c_leaves_nothing_and_the_next_training_works(engine: str, tmp_path: Path) -> None:
    script = Path(__file__).with_name("interrupted.py")
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, str(script), engine]
    with subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as process:
        try:
            assert process.stdout.readline() == "training\n"
            os.killpg(process.pid, signal.SIGINT)
            said, complaints = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == 0, complaints
    found = json.loads(said.splitlines()[-1])
    assert found == {"left": {"threads": [], "workers": [], "files": []}, "again": 2 * ROWS}
    assert "Traceback" not in complaints
    assert "KeyboardInterrupt" not in complaints
