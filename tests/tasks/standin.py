"""The real Punchcard server, whose jobs are this file in place of ``spark-submit``.

What a job learns is the model that was sent. Its seed says what else it does.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from distkeras.history import History, Progress
from distkeras.punchcard.command import main
from distkeras.punchcard.job_file import JobFile
from distkeras.punchcard.job_folder import ERROR, MODEL, PROGRESS
from distkeras.punchcard.progress import ProgressFile
from distkeras.storage import publish, write_json

#: Seeds of jobs that wait for a file named ``go``, and that fail until there is one named ``well``.
WAITS, FAILS = 7, 13


def command(job: JobFile, folder: Path) -> Sequence[str]:
    return [sys.executable, "-m", __spec__.name, str(folder), str(job.trainer.arguments["seed"])]


def train(folder: Path, seed: int) -> int:
    state = folder.parents[1]
    progress = ProgressFile(folder / PROGRESS, 2)
    progress.write(Progress("train", 300, 600, 0.5, 1000.0, 1.0))
    while seed == WAITS and not (state / "go").exists():
        time.sleep(0.05)
    if seed == FAILS and not (state / "well").exists():
        (folder / ERROR).write_text("the column is missing\n")
        return 3
    with publish(state / "results" / folder.name) as staging:
        shutil.copy(folder / MODEL, staging / "model.keras")
        History((), ("loss", "accuracy")).to_parquet(staging / "history.parquet")
        write_json(staging / "report.json", {"rows": 600, "seconds": {"train": 1.5}})
    return 0


if __name__ == "__main__":
    if sys.argv[1].startswith("-"):
        sys.exit(main(command=command))
    sys.exit(train(Path(sys.argv[1]), int(sys.argv[2])))
