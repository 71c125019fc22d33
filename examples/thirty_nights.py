"""Thirty nights of flights, with a corrupted day, a missing one and a killed run among them.

From 20 January to 19 February 2013: the file of the 29th is broken from its middle on, that of the
30th never comes, and the run is killed (SIGKILL) when it trains for 4 February, and started again.
On 8 and 9 February a snow storm stops most flights. What is there already is not run again.

    python examples/thirty_nights.py              # below output/thirty_nights/
    python benchmarks/nights.py --output output/thirty_nights/output
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
FIRST, END, BROKEN, MISSING, KILLED = (
    *("2013-01-20", "2013-02-20"),
    *("2013-01-29", "2013-01-30", "2013-02-04"),
)
#: Luigi's exit status when nothing failed, but a file is not there.
MISSING_DATA = 20
# How often the files are looked at, in seconds.
POLL = 0.3


def prepare(folder: Path) -> None:
    """Writes the data, breaks a day and removes another, and makes a config of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data"
    if not data.exists():
        script = Path(__file__).with_name("flights.py")
        subprocess.run([sys.executable, str(script), "--output", str(data)], check=True)
    (data / "days" / f"{MISSING}.csv").unlink(missing_ok=True)
    day = data / "days" / f"{BROKEN}.csv"
    lines = day.read_text().splitlines()
    if not lines[-1].split(",")[4].startswith("x"):
        half = len(lines) // 2
        day.write_text("\n".join([*lines[:half], *map(_broken, lines[half:])]) + "\n")
    config = (REPOSITORY / "configs" / "flights.toml").read_text()
    path = folder / "flights.toml"
    path.write_text(config.replace("examples/data/flights", str(data.resolve())))
    (folder / "luigi.cfg").write_text((REPOSITORY / "luigi.cfg").read_text())


def _broken(line: str) -> str:
    """The scheduled time of departure is text."""
    return ",".join(f"x{c}" if i == 4 else c for i, c in enumerate(line.split(",")))


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The nights that are not there yet, as a user starts them."""
    span = ["--start", FIRST, "--stop", END, "--days-back", "99999", "--task-limit", "100"]
    params = ["--of-params", json.dumps({"config": "flights.toml"})]
    command = ["luigi", "--module", "tasks", "RangeDaily", "--of", "Nightly", *params, *span]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen([sys.executable, "-m", *command], cwd=folder, env=environment)


def trains(output: Path) -> bool:
    """Whether the night that is to be killed has begun to train."""
    accepted = output / "Nightly" / "flights" / "days" / f"data_day={KILLED}"
    recorded = output / "Nightly" / "flights" / "nights" / KILLED
    staging = (output / "Retrain").glob(".*staging*")
    return accepted.exists() and not recorded.exists() and any(staging)


def run(folder: Path) -> int:
    """All nights; gives luigi's exit status."""
    output, killed = folder / "output", False
    current = output / "Nightly" / "flights" / "current.json"
    luigi = start(folder)
    while luigi.poll() is None:
        if not killed and trains(output):
            before = current.read_bytes()
            luigi.send_signal(signal.SIGKILL)
            luigi.wait()
            same = "the same model serves" if current.read_bytes() == before else "ANOTHER SERVES"
            print(f"killed while it trained for {KILLED}: {same}", flush=True)
            killed, luigi = True, start(folder)
        time.sleep(POLL)
    return luigi.returncode


def main() -> int:
    """Prepares, and runs."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    default = Path("output", "thirty_nights")
    parser.add_argument("--folder", type=Path, default=default, help="%(default)s")
    folder = parser.parse_args().folder
    prepare(folder)
    status = run(folder)
    # One day's file never came.
    return 0 if status == MISSING_DATA else status or 1


if __name__ == "__main__":
    sys.exit(main())
