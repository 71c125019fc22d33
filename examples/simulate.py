"""Which optimizer for which cluster? Draws loss against virtual time and against samples.

Trains a small network on the telescope's events with each of the given rules, by virtual workers
in this process: the gradients are real, the clock is not. So a hundred workers, a straggler, a slow
network or a failing machine need nothing but this script, and the same arguments give the same
numbers.

    python examples/simulate.py --rules ADAG DOWNPOUR AEASGD EASGD --workers 8 --straggler 4
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from distkeras.engines.conditions import Breakdown, Conditions, Constant, Exponential
from distkeras.errors import ConfigError, DistkerasError, TrainingDiverged
from distkeras.monitor import Validation
from distkeras.rules.arguments import positive
from distkeras.stopping import Validated
from distkeras.trainers import AEASGD, EASGD, TRAINERS, SingleTrainer, Trainer

DATA = Path(__file__).parent / "data" / "magic04.csv"
#: Of the events, for measuring the center.
TEST_SHARE = 0.2
#: Their alpha has to suit the number of workers.
ELASTIC = (AEASGD, EASGD)
#: Of Okabe and Ito: told apart by the colour-blind too. The dashes tell apart what comes after.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("solid", "dashed", "dotted")


class Run(NamedTuple):
    """What became of one rule.

    Attributes:
        name: of its trainer.
        curve: the center's measures on the test events; none where it diverged.
        updates: merged into the center.
        seconds: virtual ones.
        staleness: of an update, on average.
    """

    name: str
    curve: Sequence[Validated] = ()
    updates: int = 0
    seconds: float = 0.0
    staleness: float = 0.0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    rules = ["ADAG", "DOWNPOUR", "AEASGD", "EASGD"]
    add("--rules", nargs="+", default=rules, metavar="RULE", help=f"of {', '.join(TRAINERS)}")
    add("--workers", type=int, default=8)
    add("--epochs", type=int, default=3)
    add("--window", type=int, help="mini-batches between two exchanges; each rule has its own")
    add("--batch-size", type=int, default=32)
    add("--learning-rate", type=float, default=0.05, help="of the workers' SGD")
    add("--alpha", type=float, help="elastic step of AEASGD, EAMSGD, EASGD; 0.9 / workers")
    add("--compute", choices=("constant", "exponential"), default="constant")
    add("--seconds", type=float, default=1.0, help="virtual seconds of a mini-batch (the mean)")
    add("--straggler", type=float, default=1.0, help="how many times as slow the last worker is")
    add("--delay", type=float, default=0.0, help="of the network, one way, in virtual seconds")
    add("--breakdown", nargs="+", type=breakdown, default=[], metavar="WORKER:AT[:RESTART]")
    add("--rows", type=int, help="take only so many events")
    add("--seed", type=int, default=0)
    add("--out", type=Path, default=Path("build/simulate.svg"), help="the figure, SVG or PNG")
    asked = parser.parse_args(arguments)
    if asked.alpha is None:
        # Zhang et al. 2015: beta = n alpha = 0.9.
        asked.alpha = 0.9 / max(1, asked.workers)
    return asked


def breakdown(text: str) -> Breakdown:
    """A worker that fails at a time, and is back some seconds later."""
    worker, at, *restart = text.split(":")
    return Breakdown(int(worker), float(at), *map(float, restart))


def conditions(asked: argparse.Namespace, workers: int) -> Conditions:
    """The cluster, so far as a rule with so many workers uses it."""
    kind = Exponential if asked.compute == "exponential" else Constant
    slow = {asked.workers - 1: asked.straggler} if workers == asked.workers else {}
    return Conditions(
        kind(asked.seconds),
        slow,
        Constant(asked.delay),
        tuple(one for one in asked.breakdown if workers == asked.workers),
        asked.seed,
    )


def events(rows: int | None, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The telescope's events, standardised, to train and to test."""
    table = pd.read_csv(DATA).sample(frac=1, random_state=seed)[:rows]
    tested = int(len(table) * TEST_SHARE)
    x = table.drop(columns="class").to_numpy("f4")
    x = (x - x[tested:].mean(0)) / x[tested:].std(0)
    y = (table["class"] == "g").to_numpy("i4")
    return (
        {"features": x[tested:], "label": y[tested:]},
        {"features": x[:tested], "label": y[:tested]},
    )


def trainer(name: str, asked: argparse.Namespace) -> Trainer:
    """A rule with the network that all of them train."""
    import keras
    from models import mlp

    keras.utils.set_random_seed(asked.seed)
    kind = TRAINERS[name]
    elastic = {}
    if issubclass(kind, ELASTIC):
        elastic = {"rho": asked.alpha / asked.learning_rate, "learning_rate": asked.learning_rate}
    return kind(
        mlp(10, 2, hidden=(32, 16)),
        keras.optimizers.SGD(asked.learning_rate),
        "sparse_categorical_crossentropy",
        num_workers=1 if kind is SingleTrainer else asked.workers,
        num_epoch=asked.epochs,
        batch_size=asked.batch_size,
        communication_window=asked.window,
        seed=asked.seed,
        **elastic,
    )


def simulated(name: str, asked: argparse.Namespace) -> Run:
    """Trains by one rule."""
    train, test = events(asked.rows, asked.seed)
    mine = trainer(name, asked)
    validation = Validation(test, every_epochs=asked.epochs / 60)
    try:
        mine.simulate(train, conditions(asked, mine.num_workers), validation=validation)
    except TrainingDiverged:
        return Run(name)
    stale = [record.staleness for record in mine.history.records]
    report = mine.report
    curve, seconds = mine.history.validations, report["virtual_seconds"]
    return Run(name, curve, report["windows"], seconds, float(np.mean(stale)))


def show(runs: Sequence[Run]) -> None:
    """The table."""
    table = Table("rule", "final loss", "virtual seconds", "updates", "mean staleness", "accuracy")
    for column in table.columns[1:]:
        column.justify = "right"
    for run in runs:
        if not run.curve:
            table.add_row(run.name, "diverged")
            continue
        last = run.curve[-1].measures
        numbers = f"{run.seconds:.1f}", str(run.updates), f"{run.staleness:.2f}"
        table.add_row(run.name, f"{last['val_loss']:.4f}", *numbers, f"{last['val_accuracy']:.2%}")
    table.caption = "loss and accuracy of the center on the test events"
    Console(width=100).print(table)


def title(asked: argparse.Namespace) -> str:
    """The conditions: a line for the training, and one for the cluster."""
    training = [count(asked.workers, "worker"), count(asked.epochs, "epoch")]
    training += [f"batch {asked.batch_size}", f"SGD {asked.learning_rate:g}"]
    training.append(f"window {asked.window}" if asked.window else "each rule's own window")
    if any(issubclass(TRAINERS[name], ELASTIC) for name in asked.rules):
        training.append(f"alpha {asked.alpha:.3g}")
    cluster = [f"{asked.compute} {asked.seconds:g} s a mini-batch"]
    if asked.straggler != 1:
        cluster.append(f"one worker {asked.straggler:g}x as slow")
    if asked.delay:
        cluster.append(f"network {asked.delay:g} s one way")
    return f"{', '.join(training)}\n{', '.join(cluster)}"


def count(number: int, thing: str) -> str:
    """So many of them."""
    return f"{number} {thing}" + ("" if number == 1 else "s")


def draw(runs: Sequence[Run], asked: argparse.Namespace) -> None:
    """The figure."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams |= {"svg.hashsalt": "distkeras", "svg.fonttype": "none", "font.size": 10}
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(10, 4.8), sharey=True, layout="constrained")
    drawn = [run for run in runs if run.curve]
    for number, run in enumerate(drawn):
        dashes = DASHES[number // len(COLOURS) % len(DASHES)]
        style = {"color": COLOURS[number % len(COLOURS)], "ls": dashes, "label": run.name}
        # The first are the widest: they show beneath others that do the same.
        style["lw"] = 3 - 1.8 * number / len(drawn)
        loss = [seen.measures["val_loss"] for seen in run.curve]
        panels[0].plot([seen.timestamp for seen in run.curve], loss, **style)
        panels[1].plot([seen.rows / 1000 for seen in run.curve], loss, **style)
    mark(panels[0], asked.breakdown)
    label(panels, drawn)
    if drawn:
        lines = panels[0].get_legend_handles_labels()
        figure.legend(*lines, loc="outside lower center", ncols=6, frameon=False)
    figure.suptitle(title(asked), size=11)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None} if asked.out.suffix == ".svg" else None
    figure.savefig(asked.out, dpi=150, metadata=metadata)


def mark(panel: Any, breakdowns: Sequence[Breakdown]) -> None:
    """Where workers fail."""
    for row, failing in enumerate(breakdowns):
        panel.axvline(failing.at, color="0.6", lw=1, zorder=0)
        where = {"transform": panel.get_xaxis_transform(), "va": "top", "size": 9, "color": "0.35"}
        where["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        said = f" worker {failing.worker} fails"
        panel.text(failing.at, 0.99 - 0.05 * (row % 6), said, **where)


def label(panels: Sequence[Any], drawn: Sequence[Run]) -> None:
    """The axes; a curve that leaves the panel at its top diverges."""
    panels[0].set(xlabel="virtual time, s", ylabel="test loss of the center (cross-entropy, nats)")
    panels[1].set(xlabel="samples merged into the center, thousands")
    for panel in panels:
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    if drawn:
        first = max(run.curve[0].measures["val_loss"] for run in drawn)
        panels[0].set_ylim(top=min(panels[0].get_ylim()[1], 2 * first))


def check(asked: argparse.Namespace) -> None:
    """Refuses what would fail only after some rules were trained.

    Raises:
        ConfigError: names the value, and the nearest rule.
    """
    known = {name.lower(): name for name in TRAINERS}
    for name in asked.rules:
        if name not in TRAINERS:
            near = difflib.get_close_matches(name.lower(), known, 1, 0.0)[0]
            raise ConfigError(f"there is no rule {name!r}; the nearest is {known[near]!r}")
    if asked.out.suffix not in (".svg", ".png"):
        raise ConfigError(f"--out is {str(asked.out)!r}, but must end in .svg or .png")
    positive("--learning-rate", asked.learning_rate)
    for name in asked.rules:
        trainer(name, asked)
    conditions(asked, asked.workers).check(asked.workers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the simulation; the exit status."""
    asked = parsed(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        check(asked)
        runs = []
        for name in asked.rules:
            print(f"simulating {name}", file=sys.stderr)
            runs.append(simulated(name, asked))
    except DistkerasError as error:
        print(f"simulate.py: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    show(runs)
    draw(runs, asked)
    print(f"the figure: {asked.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
