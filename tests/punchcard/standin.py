"""The real server, whose jobs are ``program.sh`` in place of ``spark-submit``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from distkeras.punchcard.command import main
from distkeras.punchcard.job_file import JobFile

PROGRAM = Path(__file__).with_name("program.sh")


def command(job: JobFile, folder: Path) -> Sequence[str]:
    return ["/bin/sh", str(PROGRAM), str(folder), job.name]


if __name__ == "__main__":
    os.environ["PYTHON"] = sys.executable
    sys.exit(main(command=command))
