"""A distributed optimizer of your own, in one file: ADAG, with momentum at the center.

    python examples/custom_optimizer.py

Trains a small network on the telescope's events with ADAG and with this one, by virtual workers in
this process, for some lengths of the communication window, and prints the accuracy of both.

The optimizer. After a window of lambda steps a worker sends its mean step; the center keeps a
velocity v, which starts at 0, and

    sends     s = (W - W0) / lambda
    center    v <- mu v + s;  c <- c + v
    adopts    W <- c

ADAG moves the center by one mean step, however long the window is, so long windows need more
passes over the data. Here all steps in the direction that workers agree on add up, to 1 / (1 - mu)
times as much, and what differs between their steps cancels out. With mu = 0 it is ADAG.

That is the server momentum of FedAvgM (Hsu et al. 2019, arXiv:1909.06335) for workers that do not
wait for each other. Asynchronous workers act like momentum themselves, the more of them there are
(Mitliagkas et al. 2016, arXiv:1605.09774): with many, take a smaller mu.

To test a rule of yours takes one line, ``test_contract = contract_of(my_rule())``: see
tests/test_examples.py. To train with it, ``MomentumADAG(model, "adam", loss).train(dataframe)``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from distkeras.engines.conditions import Conditions, Constant, Exponential
from distkeras.errors import ConfigError, DistkerasError, TrainingDiverged
from distkeras.rules import Exchange, Merged, Rule, adopt_answer
from distkeras.rules.adag import send
from distkeras.rules.arguments import fraction, positive_int
from distkeras.trainers import ADAG, Trainer
from distkeras.vectors import Vector

#: Events, of which a fifth tests.
LEAST = 10


def momentum_adag(momentum: float = 0.5) -> Rule:
    """The rule.

    Args:
        momentum: mu of the center, in [0, 1).

    Raises:
        ConfigError: if it is not.
    """
    mu = np.float32(fraction("momentum", momentum))
    return Rule("MomentumADAG", send, partial(merge, mu=mu), adopt_answer)


def merge(center: Vector, sent: Vector, exchange: Exchange, mu: np.float32) -> Merged:
    """V <- mu v + s, c <- c + v; the answer is the new center."""
    (velocity,) = exchange.state or (np.zeros_like(center),)
    velocity = mu * velocity + sent
    merged = center + velocity
    return Merged(merged, merged, state=(velocity,))


class MomentumADAG(Trainer):
    """ADAG with momentum at the center.

    Args:
        *arguments: as ``Trainer``; the communication window is 12 where it is not given.
        momentum: mu of the center, in [0, 1).
        **keywords: as ``Trainer``.
    """

    def __init__(self, *arguments: Any, momentum: float = 0.5, **keywords: Any) -> None:
        self.momentum = fraction("momentum", momentum)
        super().__init__(*arguments, **keywords)

    def _rule(self) -> Rule:
        return momentum_adag(self.momentum)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    add = parser.add_argument
    add("--momentum", type=float, default=0.5, help="mu (%(default)s)")
    add("--workers", type=int, default=4, help="virtual ones (%(default)s)")
    add("--windows", type=int, nargs="+", default=[5, 20, 80], help="mini-batches (5 20 80)")
    add("--epochs", type=int, default=5, help="passes over the events (%(default)s)")
    add("--seeds", type=int, default=2, help="trainings of which the mean is shown (%(default)s)")
    add("--rows", type=int, help="take only so many events")
    return parser.parse_args(arguments)


def accuracy(kind: type[Trainer], window: int, seed: int, asked: argparse.Namespace) -> float:
    """On the test events, 0 to 1; NaN where the training diverges."""
    import keras
    from models import mlp
    from simulate import events

    train, test = events(asked.rows, seed)
    keras.utils.set_random_seed(seed)
    given = {"momentum": asked.momentum} if kind is MomentumADAG else {}
    trainer = kind(
        mlp(10, 2, hidden=(32, 16)),
        keras.optimizers.Adam(0.004),
        "sparse_categorical_crossentropy",
        num_workers=asked.workers,
        num_epoch=asked.epochs,
        communication_window=window,
        seed=seed,
        **given,
    )
    # A mini-batch takes a second, more or less, and a message a fifth of it.
    cluster = Conditions(Exponential(1.0), delay=Constant(0.2), seed=seed)
    try:
        trained = trainer.simulate(train, cluster)
    except TrainingDiverged:
        return float("nan")
    found = trained.evaluate(test["features"], test["label"], verbose=0, return_dict=True)
    return float(found["accuracy"])


def compare(asked: argparse.Namespace) -> Table:
    """Trains with both, by window and seed.

    Raises:
        ConfigError: an option cannot work; it quotes the value.
    """
    positive_int("--seeds", asked.seeds)
    if asked.rows is not None and asked.rows < LEAST:
        raise ConfigError(f"--rows is {asked.rows}, but must be at least {LEAST}")
    table = Table("trainer", *(f"window {window}" for window in asked.windows))
    for kind in (ADAG, MomentumADAG):
        cells = []
        for window in asked.windows:
            print(f"{kind.__name__}, window {window}", file=sys.stderr)
            found = [accuracy(kind, window, seed, asked) for seed in range(asked.seeds)]
            cells.append(f"{np.mean(found):.2%} ± {np.std(found):.2%}")
        table.add_row(kind.__name__, *cells)
    table.caption = f"accuracy on the test events, mean and deviation of {asked.seeds} trainings"
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the comparison; ends with one line where something is wrong."""
    asked = parsed(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        table = compare(asked)
    except DistkerasError as error:
        raise SystemExit(str(error)) from None
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
