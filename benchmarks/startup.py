"""How long from ``train()`` to the first merged window, and what for?

Two workers train the MLP in a Spark session that is warm, but whose Python workers have not
imported anything yet, and then again in the same session. The phases are read off the workers' log,
as it arrives; of the worker whose first window is merged first. Beside it, in the same
rounds, what cannot be avoided: ``python -c "import keras"``, and one compile of the window.

    python benchmarks/startup.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import compared
import workloads
from compared import Run
from rich.table import Table

#: What a worker's log says at the end of a phase.
PHASES = {
    "Spark job": r"begins in process",
    "data": r"got \d+ rows",
    "import Keras": r"has Keras",
    "build": r"has the model",
    "connect": r"joined; window",
}
#: From the connection to the first merged window: compile, train, exchange.
LAST = "compile, first window"
LINE = re.compile(r"distkeras\.\S+: run=\w+ worker=(\d+) attempt=\d+ (.*)")


class Log:
    """When each worker said what; what it says on the standard error is passed on."""

    def __init__(self) -> None:
        self.ends: dict[int, dict[str, float]] = {}

    def line(self, text: str) -> None:
        found = LINE.search(text)
        for phase, said in PHASES.items():
            if found and re.match(said, found[2]):
                self.ends.setdefault(int(found[1]), {})[phase] = time.time()

    def phases(self, worker: int, began: float, merged: float) -> Run:
        """Seconds of each phase of a worker, from the call of ``train`` to its first window."""
        ends = {**self.ends[worker], LAST: merged}
        starts = [began, *ends.values()]
        return {
            phase: end - start for (phase, end), start in zip(ends.items(), starts, strict=False)
        }


@contextmanager
def listening() -> Iterator[Log]:
    """Reads this process's standard error, which the JVM and the Python workers share."""
    log, kept = Log(), os.dup(2)
    source, sink = os.pipe()
    os.dup2(sink, 2)
    os.close(sink)

    def read() -> None:
        with open(source, errors="replace") as lines:
            for text in lines:
                log.line(text)
                os.write(kept, text.encode())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield log
    finally:
        os.dup2(kept, 2)


def start(frame: Any, log: Log) -> Run:
    """One training: seconds until the first merged window, and those of its phases."""
    import keras

    from distkeras.trainers import DOWNPOUR

    trainer = DOWNPOUR(
        workloads.model("mlp"),
        keras.optimizers.Adagrad(0.01),
        workloads.LOSS,
        num_workers=2,
        communication_window=workloads.WINDOW,
    )
    log.ends.clear()
    began = time.time()
    trainer.train(frame)
    first = trainer.history.records[0]
    phases = log.phases(first.worker, began, first.timestamp)
    return {"seconds": first.timestamp - began, **phases}


def twice(path: str, log: Log) -> tuple[Run, Run]:
    """The first and the second training of a session that has read the rows once."""
    with compared.spark() as session:
        frame = session.read.parquet(path)
        frame.count()
        return start(frame, log), start(frame, log)


def unavoidable() -> Run:
    """Importing Keras in a new process, and the compiled window's first call in another."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import keras"], check=True)
    imported = time.perf_counter() - began
    with compared.Apart(sorted(os.sched_getaffinity(0))[:1]) as apart:
        compiled = apart(workloads.first_window, "mlp")
    return {"import keras": imported, "compile": compiled, "seconds": imported + compiled}


def main() -> None:
    """Runs the benchmark."""
    parser = compared.options(__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    asked = parser.parse_args()
    there = workloads.rows("mlp", asked.rows)
    runs: dict[str, list[Run]] = {"first": [], "second": [], "unavoidable": []}
    with tempfile.TemporaryDirectory() as folder, listening() as log:
        path = compared.write_rows(Path(folder, "rows"), there.x, there.y)
        for _ in range(asked.rounds):
            for kind, run in zip(runs, (*twice(path, log), unavoidable()), strict=True):
                runs[kind].append({what: round(value, 3) for what, value in run.items()})
    ratios = {
        "first to unavoidable": compared.ratio(runs["first"], runs["unavoidable"], "seconds"),
        "first to second": compared.ratio(runs["first"], runs["second"], "seconds"),
    }
    table = Table("seconds", "first training", "second training", "unavoidable")
    for what in ("seconds", *PHASES, LAST, "import keras", "compile"):
        cells = (f"{compared.median(r, what):.2f}" if what in r[0] else "" for r in runs.values())
        table.add_row(what, *cells)
    for what, value in ratios.items():
        table.add_row(what, f"{value:.2f}")
    compared.shown(table, "startup", asked.full, {"runs": runs, "ratios": ratios})


if __name__ == "__main__":
    main()
