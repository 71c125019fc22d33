"""What a comparison says of workers: of each of them, and of their number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from distkeras.report.curves import Trace, cores, waits
from distkeras.report.families import Family, Member, families
from distkeras.report.markup import NONE, figure, number, plain, score, seconds, table
from distkeras.report.standings import Competitor, Rows, ranked_by
from distkeras.report.svg import swatch
from distkeras.report.worker_figures import Point, numbers_figure, workers_figure

__all__ = ["at_work", "by_number", "costs"]

# What a simulation's costs are, in seconds, and how its page calls them.
_COSTS = {
    "batch": "Mini-batch",
    "batch_median": "Median",
    "service": "Server, an exchange",
    "delay": "Message, one way",
}
_Found = Mapping[int, Sequence[Trace]]


def at_work(drawn: Sequence[tuple[int, Competitor]], virtual: bool) -> Iterator[str]:
    """Each worker's use of a processor, and what it has waited.

    Args:
        drawn: the variants and the numbers of their colours.
        virtual: whether they were simulated: then no processor was used.
    """
    names = {place: plain(one.name) for place, one in drawn}
    used: dict[int, list[Trace]] = {}
    waited: dict[int, list[Trace]] = {}
    for place, one in drawn:
        if one.history is not None:
            used[place], waited[place] = cores(one.history), waits(one.history)
    used = {place: traces for place, traces in used.items() if traces}
    shown = []
    if used and not virtual:
        shown.append(figure(workers_figure(used, "cores in use", virtual), _used(used, names)))
    if waited:
        drawing = workers_figure(waited, "seconds waited so far", virtual)
        shown.append(figure(drawing, _waited(waited, names)))
    if shown:
        yield f'<div class="pair">{"".join(shown)}</div>'


def _used(found: _Found, names: Mapping[int, str]) -> str:
    mean = {place: float(np.mean([t.values.mean() for t in each])) for place, each in found.items()}
    said = _between(mean, names, lambda value: f"{value:.2f}")
    return (
        "Processor cores that each worker's process used, a line for each worker. On average it "
        f"used {said}."
    )


def _waited(found: _Found, names: Mapping[int, str]) -> str:
    most = {place: max(float(t.values[-1]) for t in each) for place, each in found.items()}
    return (
        "Seconds that each worker has stood still for exchanges up to then, a line for each; where "
        "the rule is synchronous, also for the slowest of them. In the end it has waited "
        f"{_between(most, names, _short)}."
    )


def _short(value: float) -> str:
    return seconds(value) if value >= 1 else f"{1000 * value:.0f} ms"


def _between(
    values: Mapping[int, float], names: Mapping[int, str], form: Callable[[float], str]
) -> str:
    """The largest and the smallest of several, with their names."""
    top, bottom = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
    if top == bottom:
        return f"<b>{form(values[top])}</b>"
    return (
        f"most in {names[top]}, <b>{form(values[top])}</b>, and least in {names[bottom]}, "
        f"<b>{form(values[bottom])}</b>"
    )


def costs(competitors: Sequence[Competitor]) -> str:
    """What virtual workers cost, and on which training that was measured.

    Args:
        competitors: the simulated ones.
    """
    groups: dict[str, list[Competitor]] = {}
    for one in competitors:
        groups.setdefault(str(one.simulated.get("measured")), []).append(one)
    rows = []
    for measured, group in groups.items():
        cost = group[0].simulated
        times = (cost.get(f"{name}_seconds") for name in _COSTS)
        shown = (NONE if time is None else f"{number(1000 * time, 3)} ms" for time in times)
        said = "; ".join(plain(one.name) for one in group)
        rows.append([said, *shown, number(cost.get("windows")), plain(measured)])
    heads = ("Costs", *_COSTS.values(), "Windows", "Train")
    words = (
        "Real gradients, but virtual workers: each has a core of its own, all share one server, "
        "and seconds are virtual. What things take was measured when one worker trained for real. "
        "Mini-batch: the mean over its windows, of which the simulation draws one for each of its "
        "own, and their median: the mean is far above it where the machine had other things to do. "
        "Server: its processor's time. Message: half of what the worker waits beyond that."
    )
    return f'<div class="card">{table(heads, rows, "costs")}<p class="note">{words}</p></div>'


def by_number(competitors: Sequence[Competitor], rows: Rows) -> Iterator[str]:
    """How speed, waiting and result go with the number of workers."""
    found = families(competitors, rows)
    if not found:
        return
    keys = "".join(f"<li>{swatch(place)}{plain(one.name)}</li>" for place, one in enumerate(found))
    virtual = any(member.simulated for one in found for member in one.members)
    said = "<li>\u25cf real</li><li>\u25cb simulated</li>" if virtual else ""
    yield f'<h2>Number of workers</h2><ul class="legend">{keys}{said}</ul>'
    shown = "".join(_by_number(found, one) for one in _measures(ranked_by(rows)))
    yield f'<div class="pair">{shown}</div>'


class _Measure(NamedTuple):
    """What is drawn against the number of workers.

    Attributes:
        value: of a variant.
        label: of the axis.
        words: how its sentence begins.
        form: a value for readers.
        zero: whether the axis begins at 0.
    """

    value: Callable[[Mapping[str, float | None]], float | None]
    label: str
    words: str
    form: Callable[[float], str]
    zero: bool = True


def _measures(ranked: str) -> list[_Measure]:
    return [
        _Measure(
            lambda row: row["samples_per_second"],
            "samples/s",
            "Samples merged in a second",
            lambda value: f"{value:,.0f}",
        ),
        _Measure(
            _standing,
            "waiting, % of the time",
            "The share of the training in which a worker stands still for exchanges",
            lambda value: f"{value:.1f} %",
        ),
        _Measure(
            lambda row: row[ranked],
            f"{ranked} on the test split",
            f"What is learned in the same passes over the rows: {ranked} on the test split",
            score,
            zero=False,
        ),
        _Measure(
            lambda row: row["staleness"],
            "staleness, updates",
            "Updates of others that a window was trained without, on average",
            lambda value: f"{value:.1f}",
        ),
    ]


def _standing(row: Mapping[str, float | None]) -> float | None:
    """Percent of the training in which a worker waited."""
    waited, whole = row["exchange_wait"], row["seconds"]
    return 100 * waited / whole if waited is not None and whole else None


def _by_number(found: Sequence[Family], measure: _Measure) -> str:
    """A figure of all families, with its sentence; empty where there is too little to draw."""
    drawn, said = {}, []
    for place, family in enumerate(found):
        points = [point for one in family.members if (point := _point(one, measure)) is not None]
        if len(points) > 1:
            drawn[place] = points
            first, last = (measure.form(points[end].value) for end in (0, -1))
            workers = f"{points[0].workers} to {points[-1].workers} workers"
            said.append(f"{plain(family.name)} <b>{first}</b> to <b>{last}</b> with {workers}")
    if not drawn:
        return ""
    drawing = numbers_figure(drawn, measure.label, measure.zero)
    return figure(drawing, f"{measure.words}: {'; '.join(said)}.")


def _point(one: Member, measure: _Measure) -> Point | None:
    value = measure.value(one.row)
    if value is None or not math.isfinite(value):
        return None
    return Point(one.workers, value, one.simulated)
