"""Two hundred workers for a while; ``make soak`` has them for ten minutes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Seconds; and until all of them have started and left, on a machine that is busy.
LENGTH, PATIENCE = 30, 300
CODE = f"""
import json
from tests.load.soak import Load, soak
outcome = soak(Load(workers=200, seconds={LENGTH}, pause=0.5))
print(json.dumps([outcome.wrong, len(outcome.sent), outcome.samples[-1].windows]))
"""


def test_two_hundred_workers_lose_nothing_and_leave_nothing_behind() -> None:
    # In a process of its own, whose memory is the server's alone.
    ran = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    wrong, workers, windows = json.loads(ran.stdout)
    assert wrong == []
    assert workers == 200
    assert windows > 200
