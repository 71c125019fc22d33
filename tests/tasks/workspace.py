"""A working directory with a small experiment, in which ``luigi`` runs as a user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

CONFIG = """
[preprocess.sources.events]
path = "events.csv"

[preprocess]
sql = "SELECT fLength, fWidth, fAlpha, class FROM events"

[preprocess.label]
column = "class"

[train]
loss = "categorical_crossentropy"
communication_window = 4

[train.model]
function = "small:mlp"
arguments = { units = 8 }
"""

MODEL = """
import keras


def mlp(dimension, classes, units):
    layers = [keras.Input((dimension,)), keras.layers.Dense(units, "relu")]
    return keras.Sequential([*layers, keras.layers.Dense(classes, "softmax")])
"""

LUIGI = """
[core]
local_scheduler = true
# Of two runs of one command Luigi starts the first, in whatever folders they are.
no_lock = true
autoload_range = true

[spark]
master = local[2]
driver_memory = 1g
conf = spark.sql.shuffle.partitions=2
"""


@dataclass(frozen=True)
class Run:
    """What one ``luigi`` command did."""

    status: int
    stdout: str
    stderr: str

    @property
    def ran(self) -> list[str]:
        """The tasks that luigi's own summary says ran, by name."""
        return _listed(self.stderr, "ran successfully")

    @property
    def failed(self) -> list[str]:
        """The tasks that luigi's own summary says failed, by name."""
        return _listed(self.stderr, "failed")

    @property
    def errors(self) -> list[str]:
        """The lines that report an error."""
        return [line for line in self.stderr.splitlines() if line.startswith("ERROR")]


def _listed(text: str, what: str) -> list[str]:
    found = re.search(rf"^\* \d+ {what}:\n((?: +- .*\n?)*)", text, re.MULTILINE)
    return re.findall(r"- \d+ (\w+)\(", found[1]) if found else []


@dataclass(frozen=True)
class Workspace:
    """A folder with config.toml, events.csv, small.py and luigi.cfg."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, rows: int = 600) -> Workspace:
        data = (REPOSITORY / "examples/data/magic04.csv").read_text().splitlines()
        step = (len(data) - 1) // rows
        chosen = data[1::step][:rows]
        (folder / "events.csv").write_text("\n".join([data[0], *chosen]) + "\n")
        (folder / "config.toml").write_text(CONFIG)
        (folder / "small.py").write_text(MODEL)
        (folder / "luigi.cfg").write_text(LUIGI)
        return cls(folder)

    def command(self, *arguments: str, task: str = "Evaluate") -> list[str]:
        options = [task, "--config", "config.toml", *arguments]
        return [sys.executable, "-m", "luigi", "--module", "tasks", *options]

    def environment(self, **extra: str) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYSPARK", "TF_"))}
        return inherited | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "200", **extra}

    def luigi(self, *arguments: str, task: str = "Evaluate", **extra: str) -> Run:
        return self.run(self.command(*arguments, task=task), **extra)

    def run(self, command: list[str], **extra: str) -> Run:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(**extra),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def published(self, task: str = "*") -> list[Path]:
        """The results that count as complete."""
        return sorted(m.parent for m in self.folder.glob(f"output/{task}/[!.]*/manifest.json"))

    def leftovers(self) -> list[str]:
        """Whatever stands under output/ and is not complete."""
        whole = self.published()
        return [str(entry) for entry in self.folder.glob("output/*/*") if entry not in whole]
