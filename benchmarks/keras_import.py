"""What ``import keras`` costs a process, and what it costs without what no worker uses.

python benchmarks/keras_import.py
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from functools import partial

import compared
from compared import Run
from rich.table import Table

PROGRAMS = {
    "import keras": "import keras",
    "as a worker does": "from distkeras.lean_keras import import_keras; import_keras()",
    "import tensorflow": "import tensorflow",
}


def processor_seconds() -> float:
    """Of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(program: str) -> Run:
    """A new process that does no more than that."""
    began, before = time.perf_counter(), processor_seconds()
    subprocess.run([sys.executable, "-c", program], check=True, stderr=subprocess.DEVNULL)
    return {
        "seconds": time.perf_counter() - began,
        "processor seconds": processor_seconds() - before,
    }


def main() -> None:
    """Runs the benchmark."""
    asked = compared.options(__doc__).parse_args()
    runs = compared.in_turn(
        {name: partial(run, text) for name, text in PROGRAMS.items()}, asked.rounds
    )
    table = Table("", "processor seconds", "seconds", "to import keras")
    ratios = {}
    for name, measured in runs.items():
        ratios[name] = compared.ratio(measured, runs["import keras"], "processor seconds")
        cells = (
            f"{compared.median(measured, what):.2f}" for what in ("processor seconds", "seconds")
        )
        table.add_row(name, *cells, f"{ratios[name]:.2f}")
    compared.shown(table, "keras_import", asked.full, {"runs": runs, "ratios": ratios})


if __name__ == "__main__":
    main()
