"""How much memory does the pipeline take on data that is larger than it?

Makes a CSV file of so many rows, runs the whole pipeline on it as ``luigi`` in a process of its
own, and reads the peak resident memory of the driver's Python, of the JVM (which in local mode
is driver and executor in one) and of each Python worker from /proc.

    python benchmarks/memory.py --rows 5000000
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import higgs_like
import pyarrow as pa
import results_file
from pyarrow import csv
from rich.console import Console
from rich.table import Table

CONFIG = """
output = "{folder}/output"

[preprocess.sources.events]
path = "{folder}/events.csv"

[preprocess.label]
column = "label"

[preprocess.split]
test = 0.1

[train]
trainer = "DOWNPOUR"
loss = "sparse_categorical_crossentropy"
num_epoch = 1
batch_size = 128
num_workers = 2
memory_mb = {memory_mb}

[train.model]
function = "examples.models:mlp"
arguments = {{ hidden = [64, 64] }}
"""

LUIGI = """
[core]
local_scheduler = true

[spark]
master = local[2]
driver_memory = 1g

[retcode]
task_failed = 30
scheduling_error = 35
unhandled_exception = 40
"""


def write_csv(path: Path, rows: int, width: int) -> None:
    """The synthetic task as a CSV file, in pieces."""
    names = [f"x{i}" for i in range(width)]
    writer = None
    for part in higgs_like.chunks(rows, 250_000, width):
        columns = [pa.array(part.features[:, i]) for i in range(width)]
        table = pa.table([*columns, pa.array(part.labels)], names=[*names, "label"])
        writer = writer or csv.CSVWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def tree(root: int) -> dict[int, str]:
    """The processes below one, and what each is."""
    parents, found = {}, {root: "driver (Python)"}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                parents[int(entry.name)] = int(fields[1]), (entry / "cmdline").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
    grown = True
    while grown:
        new = {p: kind(c) for p, (up, c) in parents.items() if up in found and p not in found}
        found |= new
        grown = bool(new)
    return found


def kind(command: str) -> str:
    """What a process is, by its command line."""
    if "pyspark" in command and "daemon" in command:
        return "worker (Python)"
    return "JVM (driver and executor)" if "java" in command.split("\0")[0] else "other"


def peak(process: int) -> int:
    """The largest resident memory of a process so far, in bytes."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0][1]) * 1024 if lines else 0


def watch(command: list[str], environment: dict[str, str]) -> tuple[dict[str, int], float, int]:
    """Runs a command; returns the peak of each kind of process, seconds, and exit status."""
    peaks: dict[str, int] = {}
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment)
    while process.poll() is None:
        for number, what in tree(process.pid).items():
            peaks[what] = max(peaks.get(what, 0), peak(number))
        time.sleep(0.5)
    return peaks, time.monotonic() - started, process.returncode


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--width", type=int, default=30)
    parser.add_argument("--memory-mb", type=int, default=64, help="rows a worker keeps in memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="distkeras-memory-") as folder:
        source = Path(folder, "events.csv")
        write_csv(source, options.rows, options.width)
        size = source.stat().st_size
        config = Path(folder, "memory.toml")
        config.write_text(CONFIG.format(folder=folder, memory_mb=options.memory_mb))
        Path(folder, "luigi.cfg").write_text(LUIGI)
        environment = {**os.environ, "LUIGI_CONFIG_PATH": str(Path(folder, "luigi.cfg"))}
        command = [sys.executable, "-m", "luigi", "--module", "tasks", "Evaluate"]
        peaks, seconds, status = watch([*command, "--config", str(config)], environment)
    if status:
        raise SystemExit(f"the pipeline ended with status {status}")
    table = Table("process", "peak resident memory, MiB", title=f"{options.rows:,} rows")
    for what, value in sorted(peaks.items()):
        table.add_row(what, f"{value / 2**20:,.0f}")
    Console().print(table, f"CSV {size / 2**20:,.0f} MiB, pipeline {seconds:.0f} s")
    figures = {what: round(value / 2**20) for what, value in peaks.items()}
    results_file.write(
        "memory",
        {
            "rows": options.rows,
            "width": options.width,
            "csv_mib": round(size / 2**20),
            "memory_mb": options.memory_mb,
            "seconds": round(seconds, 1),
            "peak_resident_mib": figures,
        },
    )


if __name__ == "__main__":
    main()
