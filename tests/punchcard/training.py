"""Stands for a training that tells how far it is: ``training.py FOLDER STATE NAME``.

It goes to the row that the file ``rows-NAME`` in the server's folder says, of a thousand in each
of four epochs, and ends when that is the last.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

from distkeras.history import Progress
from distkeras.punchcard.job_folder import PROGRESS
from distkeras.punchcard.progress import ProgressFile

EPOCHS, TOTAL, STEP = 4, 4000, 40


def main(folder: Path, wanted: Path) -> None:
    file = ProgressFile(folder / PROGRESS, EPOCHS)
    rows = 0
    while rows < TOTAL:
        most = int(wanted.read_text() or 0) if wanted.exists() else 0
        while rows < min(most, TOTAL):
            rows += STEP
            left = (TOTAL - rows) / 500
            loss = 0.2 + 0.6 * math.exp(-rows / 1200) + 0.02 * math.sin(rows / 90)
            file.write(Progress("train", rows, TOTAL, loss, 512.5, left))
            print(f"row {rows} of {TOTAL}, loss {loss:.4f}", flush=True)
        time.sleep(0.05)
    file.finish()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2], f"rows-{sys.argv[3]}"))
