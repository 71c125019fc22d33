"""What the library logs stands in luigi's log, and above the bar in a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from tests.tasks.workspace import REPOSITORY

LOGGED = """
import logging
from distkeras.logs import about, logger
from tasks.console import quiet_libraries
from tasks.progress import reporting

handler = logging.StreamHandler()  # As luigi has it.
handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
luigis = logging.getLogger("luigi-interface")
luigis.addHandler(handler)
luigis.setLevel(logging.INFO)

class Task:
    task_family = "Train"
    def __getattr__(self, name):
        return lambda *arguments: None

quiet_libraries()
quiet_libraries()
with reporting(Task()) as report, about(run="3f2a"):
    report.phase("training")
    for worker in range(2):
        logger("distkeras.attendance").of(worker=worker).info("joined: [8] rows")
    logging.getLogger("distkeras.other").debug("not shown")
    logging.getLogger("distkeras.other").warning("slow")
luigis.warning("after")
"""
LINES = [f"INFO: run=3f2a worker={worker} joined: [8] rows" for worker in range(2)]


def run(folder: Path, **options: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "120", "TERM": "xterm"}
    return subprocess.Popen([sys.executable, "-c", LOGGED], cwd=folder, env=environment, **options)


def test_luigis_log_has_each_line_once(tmp_path: Path) -> None:
    with run(tmp_path, stderr=subprocess.PIPE) as process:
        said = process.stderr.read().decode().splitlines()
    assert said == ["Train: training", *LINES, "WARNING: slow", "WARNING: after"]


def test_in_a_terminal_lines_stand_above_the_bar(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with run(tmp_path, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while part := read(ours):
            said += part
        process.wait(timeout=60)
    os.close(ours)
    # Without what moves the cursor and colours the text.
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode()).replace("\r", "\n").split("\n")
    assert [line.rstrip() for line in shown if "INFO" in line] == LINES
    assert [line for line in shown if line.startswith("Train ")]
    assert "WARNING: after" in shown


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux' way to say that nobody holds the other end.
        return b""
