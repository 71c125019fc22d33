"""How do speed and waiting go with the number of workers, and from where on is one server too few?

First for real, without Spark: processes of this machine train the MLP 30-600-600-2 with ADAG, and
what is counted is the time in which all of them train. Then simulated, for more workers than fit
here, with costs that are measured in the same rounds: of a mini-batch the compiled window alone on
one core; of an exchange the processor time of the server, which serves one after another; of a
message half of what one client waits beyond that. With several servers it is the time of the
busiest. Mini-batches take exponentially distributed times, as on machines that others use too. The
share is that of as many workers whose server takes no time, within a few percent. No network gets
full here: what a codec saves there is not seen, only what it costs.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --full
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import Any, NamedTuple

import compared
import numpy as np
import parameter_server
import workloads
from compared import Run
from rich.console import Console
from rich.table import Table

from distkeras.conversation import Record
from distkeras.engines.conditions import Conditions, Constant
from distkeras.engines.simulated import Simulation
from distkeras.rules import adag
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.vectors import Vector
from distkeras.worker import Trained

#: Parameters of the MLP.
SIZE = 380_402
#: Clients of the server whose processor time is measured.
CLIENTS = 4
#: Simulated workers, and windows that each trains.
WORKERS = (24, 50, 100, 200, 500, 1000)
WINDOWS = 20
#: Of as many workers whose server takes no time: where it falls below, there are too many.
ENOUGH = 0.8


class Size(NamedTuple):
    """Rows and epochs of the real trainings, their workers, seconds of other measurements."""

    rows: int
    epochs: int
    workers: tuple[int, ...]
    seconds: float


FULL = Size(225_000, 8, (1, 2, 4, 8, 24), 10.0)
SHORT = Size(45_000, 4, (1, 2, 4, 8), 2.0)

#: How exchanges are made: by how many servers, packed by which codec.
EXCHANGES = {
    "one server": (1, "none"),
    "4 shards": (4, "none"),
    "bfloat16": (1, "bfloat16"),
    "int8": (1, "int8"),
}
#: What is simulated: a way to exchange, and mini-batches in a window.
VARIANTS = {
    "one server": ("one server", 12),
    "4 shards": ("4 shards", 12),
    "window 48": ("one server", 48),
    "bfloat16": ("bfloat16", 12),
    "int8": ("int8", 12),
    "4 shards, window 48": ("4 shards", 48),
}


def together(records: list[Record]) -> list[Record]:
    """Those of the time in which all workers train: after their first windows, until one ends."""
    ends: dict[int, list[float]] = {}
    for record in records:
        ends.setdefault(record.worker, []).append(record.timestamp)
    first, last = max(map(min, ends.values())), min(map(max, ends.values()))
    return [record for record in records if first <= record.timestamp <= last]


def speed(records: list[Record]) -> Run:
    """Of windows that were merged one after another; of less than two of them not a number."""
    if len(records) < 2:
        return dict.fromkeys(("samples_per_second", "updates_per_second", "wait_ms"), nan)
    seconds = records[-1].timestamp - records[0].timestamp
    return {
        "samples_per_second": sum(record.samples for record in records[1:]) / seconds,
        "updates_per_second": (len(records) - 1) / seconds,
        "wait_ms": 1000 * float(np.median([record.exchange_wait for record in records])),
    }


def real(workers: int, size: Size) -> Run:
    """Processes of this machine."""
    import keras

    from distkeras.trainers import ADAG

    there = workloads.rows("mlp", size.rows)
    trainer = ADAG(
        workloads.model("mlp"),
        keras.optimizers.Adagrad(0.01),
        workloads.LOSS,
        num_workers=workers,
        num_epoch=size.epochs,
        batch_size=workloads.BATCH,
        communication_window=workloads.WINDOW,
    )
    trainer.train({"features": there.x, "label": there.y})
    return speed(together(list(trainer.history.records)))


def exchanged(servers: int, codec: str, seconds: float) -> Run:
    """What an exchange costs: at its busiest server, and on the way there and back."""
    many, one = (
        parameter_server.measured("served", servers, SIZE, clients, seconds, codec)
        for clients in (CLIENTS, 1)
    )
    way = 1000 / one["exchanges_per_second"] - busiest(one, servers)
    return {"service_ms": busiest(many, servers), "delay_ms": max(0.0, way / 2)}


def busiest(run: Run, servers: int) -> float:
    """Processor milliseconds of an exchange at one of the servers, or at the driver."""
    if servers == 1:
        return run["server_cpu_ms"]
    return max(run["driver_cpu_ms"], (run["server_cpu_ms"] - run["driver_cpu_ms"]) / servers)


class Costs(NamedTuple):
    """In seconds, of the busiest server and one way; and the mini-batches in a window."""

    batch: float
    service: float
    delay: float
    window: int

    @property
    def alone(self) -> float:
        """Seconds between two windows of a worker whose server takes no time."""
        return self.window * self.batch + 2 * self.delay


class Several(NamedTuple):
    """A duration: the sum of several that are exponentially distributed, each with this mean."""

    number: int
    mean: float

    def draw(self, random: np.random.Generator) -> float:
        return float(random.gamma(self.number, self.mean))


@dataclass(frozen=True)
class Counted:
    """Rows of which only the number matters."""

    number: int

    def __len__(self) -> int:
        return self.number

    def take(self, indices: np.ndarray) -> Mapping[str, np.ndarray]:
        return {}


class Idle:
    """A replica that learns nothing."""

    def run(self, weights: Vector, rows: Mapping[str, np.ndarray], clock: int = 0) -> Trained:
        return Trained(weights, np.zeros(1, np.float32))


def simulated(workers: int, costs: Costs) -> Run:
    """Virtual workers: the middle half of their windows, without beginning and end."""
    # A window is one mini-batch of one row here: nobody looks into it.
    window = Several(costs.window, costs.batch)
    conditions = Conditions(window, delay=Constant(costs.delay), service=Constant(costs.service))
    server = ParameterServer(np.zeros(1, np.float32), adag(), workers=workers)
    schedule = Schedule(batch_size=1, window=1, epochs=1, seed=0)
    shards = [Counted(WINDOWS)] * workers
    Simulation(server, schedule, shards, lambda *_: Idle(), conditions).run()
    quarter = len(server.history) // 4
    found = speed(server.history[quarter:-quarter])
    found["samples_per_second"] *= costs.window * workloads.BATCH
    return {**found, "share": found["updates_per_second"] * costs.alone / workers}


def too_many(costs: Costs) -> int:
    """The least number of workers that reach less than is enough."""
    # With more than these a server that is never idle would be too slow.
    most = int(costs.alone / costs.service / ENOUGH)
    numbers = range(1, most + 1)
    return 1 + bisect_left(numbers, True, key=lambda n: simulated(n, costs)["share"] < ENOUGH)


def kinds(held: ExitStack, size: Size) -> dict[str, Callable[[], Run]]:
    """What is measured."""
    core = held.enter_context(compared.Apart(sorted(os.sched_getaffinity(0))[:1]))
    found: dict[str, Callable[[], Run]] = {
        "window alone": partial(core, workloads.window, "mlp", size.rows, size.seconds)
    }
    for name, (servers, codec) in EXCHANGES.items():
        found[name] = partial(exchanged, servers, codec, size.seconds)
    return found | {_workers(number): partial(real, number, size) for number in size.workers}


def _workers(number: int) -> str:
    return f"{number} workers"


def costs_of(variant: str, runs: dict[str, list[Run]]) -> Costs:
    """The medians of what was measured."""
    exchange, window = VARIANTS[variant]
    batch = workloads.BATCH / compared.median(runs["window alone"], "samples_per_second")
    service, delay = (
        compared.median(runs[exchange], what) / 1000 for what in ("service_ms", "delay_ms")
    )
    return Costs(batch, service, delay, window)


def extrapolated(costs: Costs) -> dict[str, Any]:
    """All that is simulated of a variant."""
    return {
        "costs": costs._asdict(),
        "most_updates_per_second": 1 / costs.service,
        "too_many": too_many(costs),
        "workers": {str(number): simulated(number, costs) for number in WORKERS},
    }


def show_real(runs: dict[str, list[Run]], size: Size) -> None:
    """A line for each number of processes, beside as many windows alone as there are cores."""
    table = Table("workers here", "samples/s", "updates/s", "exchange, ms", "to the window alone")
    cores, rate = len(os.sched_getaffinity(0)), "samples_per_second"
    for number in size.workers:
        found = runs[_workers(number)]
        share = compared.ratio(found, runs["window alone"], rate) / min(number, cores)
        table.add_row(str(number), *_cells(found), f"{share:.0%}")
    Console(width=110).print(table)


def show_costs(variants: dict[str, Any]) -> None:
    """A line for each variant: what it costs, and where it ends."""
    table = Table("simulated", "window, ms", "service, ms", "delay, ms", "updates/s at most")
    table.add_column(f"below {ENOUGH:.0%} from")
    for variant, found in variants.items():
        costs = Costs(**found["costs"])
        times = (costs.window * costs.batch, costs.service, costs.delay)
        cells = [f"{1000 * seconds:.2f}" for seconds in times]
        cells += [f"{found['most_updates_per_second']:,.0f}", f"{found['too_many']:,} workers"]
        table.add_row(variant, *cells)
    Console(width=110).print(table)


def show_simulated(variants: dict[str, Any]) -> Table:
    """A line for each variant and number of virtual workers."""
    table = Table("simulated", "workers", "samples/s", "updates/s", "exchange, ms", "share")
    for variant, found in variants.items():
        for number, run in found["workers"].items():
            table.add_row(variant, number, *_cells([run]), f"{run['share']:.0%}")
    return table


def _cells(runs: list[Run]) -> list[str]:
    forms = {"samples_per_second": ",.0f", "updates_per_second": ",.1f", "wait_ms": ",.1f"}
    return [f"{compared.median(runs, what):{form}}" for what, form in forms.items()]


def main() -> None:
    """Runs the benchmark."""
    asked = compared.options(__doc__).parse_args()
    size = FULL if asked.full else SHORT
    with ExitStack() as held:
        runs = compared.in_turn(kinds(held, size), asked.rounds)
    variants = {variant: extrapolated(costs_of(variant, runs)) for variant in VARIANTS}
    show_real(runs, size)
    show_costs(variants)
    figures = {"size": size._asdict(), "runs": runs, "simulated": variants}
    compared.shown(show_simulated(variants), "scaling", asked.full, figures)


if __name__ == "__main__":
    main()
