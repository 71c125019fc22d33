"""How many rows a second inside Spark, beside ``model.fit`` and beside the window alone?

Two workers on two cores train the MLP 30-600-600-2 on the synthetic task, and in the full form a
convnet, an LSTM and a network of attention: steady state, from the first merged window to the
last. In the same rounds ``model.fit`` with defaults has both cores, and the compiled window of one
worker, without any exchange, has one core with one thread: "alone", or one on each core at
once: "two alone", which is as fast as the processor could be with an exchange that costs nothing.
Each trainer runs a second time with ``overlap``, where a worker trains on while it exchanges.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --full --models mlp
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import compared
import workloads
from compared import Run
from rich.table import Table


class Size(NamedTuple):
    """Rows, epochs of ours and of ``model.fit``, seconds of the window alone."""

    rows: int
    epochs: int
    fit_epochs: int
    seconds: float


FULL = {
    "mlp": Size(225_000, 3, 1, 10),
    "convnet": Size(12_000, 3, 2, 10),
    "recurrent": Size(30_000, 4, 2, 10),
    "attention": Size(9_000, 3, 2, 10),
}
SHORT = {
    "mlp": Size(45_000, 2, 1, 2),
    "convnet": Size(2_000, 2, 1, 2),
    "recurrent": Size(10_000, 2, 1, 2),
    "attention": Size(3_000, 2, 1, 2),
}
TRAINERS = ("DOWNPOUR", "ADAG", "AEASGD")


def together(cores: list[compared.Apart], name: str, size: Size) -> Run:
    """The window alone on each core at the same time."""
    ends = [core.begin(workloads.window, name, size.rows, size.seconds) for core in cores]
    return {"samples_per_second": sum(end()["samples_per_second"] for end in ends)}


def kinds(held: ExitStack, name: str, size: Size) -> dict[str, Callable[[], Run]]:
    """What is compared; the first ones run in processes that are kept for all rounds."""
    there = sorted(os.sched_getaffinity(0))[:2]
    cores = [held.enter_context(compared.Apart([core])) for core in there]
    fit = held.enter_context(compared.Apart(there))
    session = held.enter_context(compared.spark())
    folder = Path(held.enter_context(tempfile.TemporaryDirectory()), "rows")
    data = workloads.rows(name, size.rows)
    frame = session.read.parquet(compared.write_rows(folder, data.x, data.y))
    found: dict[str, Callable[[], Run]] = {
        "model.fit": partial(fit, workloads.fit, name, size.rows, size.fit_epochs),
        "alone": partial(cores[0], workloads.window, name, size.rows, size.seconds),
        "two alone": partial(together, cores, name, size),
    }
    ours = partial(workloads.train, frame=frame, num_epoch=size.epochs)
    chosen = TRAINERS if name == "mlp" else TRAINERS[:1]
    for trainer in chosen:
        found[trainer] = partial(ours, trainer, name, size.rows)
        found[f"{trainer}, overlap"] = partial(ours, trainer, name, size.rows, overlap=True)
    return found


def measured(name: str, size: Size, rounds: int) -> dict[str, Any]:
    """Every run of a model, and the ratios of the medians that matter."""
    with ExitStack() as held:
        runs = compared.in_turn(kinds(held, name, size), rounds)
    rate = "samples_per_second"
    ratios = {
        kind: {
            "to model.fit": compared.ratio(runs[kind], runs["model.fit"], rate),
            "to twice alone": compared.ratio(runs[kind], runs["alone"], rate) / 2,
            "to two alone": compared.ratio(runs[kind], runs["two alone"], rate),
        }
        for kind in runs
    }
    return {"size": size._asdict(), "runs": runs, "ratios": ratios}


def row(name: str, kind: str, found: dict[str, Any]) -> list[str]:
    """A line of the table."""
    runs, ratios = found["runs"][kind], found["ratios"][kind]
    shares = [f"{ratios['to model.fit']:.2f}"]
    shares += [f"{ratios[of]:.0%}" for of in ("to twice alone", "to two alone")]
    rest = [
        f"{compared.median(runs, what):{form}}" if what in runs[0] else ""
        for what, form in (("exchange_ms", ".1f"), ("accuracy", ".3f"))
    ]
    return [name, kind, f"{compared.median(runs, 'samples_per_second'):,.0f}", *shares, *rest]


def main() -> None:
    """Runs the benchmark."""
    parser = compared.options(__doc__)
    parser.add_argument("--models", nargs="+", choices=FULL, help="all of them where it is full")
    asked = parser.parse_args()
    sizes = FULL if asked.full else SHORT
    names = asked.models or (list(FULL) if asked.full else ["mlp"])
    table = Table("model", "", "samples/s", "to fit", "to 2 x alone", "to two alone")
    for column in ("exchange, ms", "accuracy"):
        table.add_column(column)
    figures = {}
    for name in names:
        figures[name] = measured(name, sizes[name], asked.rounds)
        for kind in figures[name]["runs"]:
            table.add_row(*row(name, kind, figures[name]))
    compared.shown(table, "throughput", asked.full, {"models": figures})


if __name__ == "__main__":
    main()
