"""How many CPU cores equal one GPU for this model?

Measures samples/s in steady state with this library in processes of this machine: a worker on
each core, with one thread each and no GPU in sight, and one worker with a GPU, if there is one.
The answer depends on the size of the mini-batch, as small ones leave a GPU idle.

    python benchmarks/cores_per_gpu.py
    python benchmarks/cores_per_gpu.py --full
    python benchmarks/cores_per_gpu.py --models convnet --batch-sizes 32 256 2048
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import compared
import workloads
from compared import Run
from rich.table import Table

HIDDEN = {"CUDA_VISIBLE_DEVICES": "-1"}
#: Rows for each core in an epoch, by model.
ROWS = {"mlp": 60_000, "convnet": 6_000, "recurrent": 20_000, "attention": 4_000}
#: A GPU trains as many rows as this many cores.
AS_MANY = 8


def gpus() -> int:
    """How many TensorFlow can use here."""
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def train(name: str, batch: int, workers: int, count: int) -> Run:
    """Trains rows at hand by so many worker processes."""
    there = workloads.rows(name, count)
    rows = {"features": there.x, "label": there.y}
    arguments = {"num_workers": workers, "batch_size": batch, "num_epoch": 2}
    return workloads.train("DOWNPOUR", name, count, rows, **arguments)


def measured(name: str, batch: int, asked: Any, gpu: bool) -> dict[str, Any]:
    """Both halves in turn; every training in a process that sees a GPU, or none."""
    count = ROWS[name] if asked.full else ROWS[name] // 4

    def run(environment: dict[str, str], workers: int, times: int) -> Run:
        with compared.Apart(environment=environment) as apart:
            found: Run = apart(train, name, batch, workers, count * times)
            return found

    kinds = {"cpu": partial(run, HIDDEN, asked.workers, asked.workers)}
    if gpu:
        kinds["gpu"] = partial(run, {}, 1, AS_MANY)
    runs = compared.in_turn(kinds, asked.rounds)
    found = {kind: compared.median(runs[kind], "samples_per_second") for kind in runs}
    core = found["cpu"] / asked.workers
    figures = {"model": name, "batch_size": batch, "runs": runs, "per_core": core}
    return figures | ({"gpu": found["gpu"], "cores_per_gpu": found["gpu"] / core} if gpu else {})


def main() -> None:
    """Runs the benchmark."""
    parser = compared.options(__doc__)
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--workers", type=int, default=cores, help="on as many cores")
    parser.add_argument("--models", nargs="+", choices=ROWS)
    parser.add_argument("--batch-sizes", type=int, nargs="+")
    asked = parser.parse_args()
    names = asked.models or (list(ROWS) if asked.full else ["mlp"])
    batches = asked.batch_sizes or ([32, 512] if asked.full else [32])
    with compared.Apart() as apart:
        gpu = bool(apart(gpus))
    cells = [measured(name, batch, asked, gpu) for name in names for batch in batches]
    table = Table("model", "mini-batch", "samples/s on a core", "on a GPU", "cores per GPU")
    for found in cells:
        half = [f"{found['gpu']:,.0f}", f"{found['cores_per_gpu']:.1f}"] if gpu else []
        place = found["model"], str(found["batch_size"])
        table.add_row(*place, f"{found['per_core']:,.0f}", *half)
    if not gpu:
        table.caption = "There is no GPU that TensorFlow can use here: this is the half of the CPU."
    figures = {"workers": asked.workers, "gpu": gpu, "cells": cells}
    compared.shown(table, "cores_per_gpu", asked.full, figures)


if __name__ == "__main__":
    main()
