"""The drawn part of a comparison: figures, each with a sentence that says what it shows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from distkeras.report.comparison_figures import Result, courses_figure, results_figure
from distkeras.report.comparison_workers import at_work, costs
from distkeras.report.curves import Course, course, measures
from distkeras.report.markup import figure, number, plain, seconds
from distkeras.report.standings import BETTER, Competitor, Rows, Target, ranked_by
from distkeras.report.svg import swatch
from distkeras.stopping import better

__all__ = ["courses", "results"]

# In more lines than these a reader finds none.
_MOST_LINES = 12


class _Told(NamedTuple):
    """What the words say of a variant; the seconds are those of the table."""

    name: str
    seconds: float


def courses(competitors: Sequence[Competitor], rows: Rows, target: Target | None) -> Iterator[str]:
    """How the variants were trained: loss and metric against time and against rows; the workers."""
    for virtual in (False, True):
        yield from _courses(competitors, rows, target, virtual)


def _courses(
    competitors: Sequence[Competitor], rows: Rows, target: Target | None, virtual: bool
) -> Iterator[str]:
    """Of those that were trained for real, or of those that were simulated."""
    there = [each for each, one in enumerate(competitors) if _is_drawn(one, virtual)]
    if not there:
        return
    drawn = _best(there, rows)
    mark = " (simulated)" * virtual
    keys = "".join(
        f"<li>{swatch(place)}{plain(competitors[each].name)}{mark}</li>"
        for place, each in enumerate(drawn)
    )
    yield f'<h2>Training{", simulated" * virtual}</h2><ul class="legend">{keys}</ul>'
    if virtual:
        yield costs([competitors[each] for each in there])
    told = [_Told(competitors[each].name, rows[each]["seconds"] or 0.0) for each in drawn]
    for name in _measures(competitors, drawn, target):
        found = {}
        for place, each in enumerate(drawn):
            if (went := course(competitors[each].history, name)) is not None:
                found[place] = went
        if found:
            yield _pair(name, found, told, target, virtual)
    yield from at_work([(place, competitors[each]) for place, each in enumerate(drawn)], virtual)
    if len(drawn) < len(there):
        yield f'<p class="note">The {len(drawn)} variants with the best results are drawn.</p>'


def _pair(
    name: str,
    found: Mapping[int, Course],
    told: Sequence[_Told],
    target: Target | None,
    virtual: bool,
) -> str:
    line = target[1] if target and target[0] == name else None
    quickest = min((told[place] for place in found), key=lambda one: one.seconds)
    choose = min if better(name, 0.0, 1.0) else max
    ahead = choose(found, key=lambda place: found[place].values[-1])
    time_words = (
        f"Training {escape(name)} against time, the mean over all workers: "
        f"{plain(quickest.name)} is through first, after <b>{seconds(quickest.seconds)}</b>."
    )
    rows_words = (
        f"The same against the samples merged: {plain(told[ahead].name)} ends with the best "
        f"training {escape(name)}, <b>{found[ahead].values[-1]:.3g}</b>."
    )
    dashed = f" Dashed: the target, {number(line)}." if line is not None else ""
    figures = (
        figure(courses_figure(found, name, "seconds", line, virtual), time_words + dashed),
        figure(courses_figure(found, name, "samples", line, virtual), rows_words + dashed),
    )
    return f'<div class="pair">{"".join(figures)}</div>'


def _is_drawn(one: Competitor, virtual: bool) -> bool:
    windows = 0 if one.history is None else one.history.num_rows
    return windows > 0 and bool(one.simulated) == virtual


def _best(there: Sequence[int], rows: Rows) -> list[int]:
    """Of these variants at most twelve: the best ones, in the table's order."""
    key = ranked_by(rows)
    return sorted(sorted(there, key=lambda each: _rank(key, rows[each][key]))[:_MOST_LINES])


def _rank(key: str, value: float | None) -> float:
    if value is None:
        return math.inf
    return -value if BETTER[key] == "max" else value


def _measures(
    competitors: Sequence[Competitor], drawn: Sequence[int], target: Target | None
) -> list[str]:
    """The loss, the first metric that all have, and the target's measure."""
    histories = [competitors[each].history for each in drawn]
    shared = [
        name
        for name in measures(histories[0])
        if all(name in one.column_names for one in histories if one is not None)
    ]
    wanted = shared[:2]
    if target and target[0] in shared and target[0] not in wanted:
        wanted.append(target[0])
    return wanted


def results(
    competitors: Sequence[Competitor], rows: Rows, tops: Mapping[str, Sequence[int]]
) -> Iterator[str]:
    """What the variants reached on the test split."""
    key = ranked_by(rows)
    found = []
    for each, (one, row) in enumerate(zip(competitors, rows, strict=True)):
        value = row[key]
        if value is not None and math.isfinite(value):
            mark = " (simulated)" if one.simulated else ""
            margin = _chance(value, one.metrics) if key == "accuracy" else 0.0
            found.append(Result(f"{one.name}{mark}", value, margin, each in tops.get(key, ())))
    if len(found) < 2:
        return
    found.sort(key=lambda one: _rank(key, one.value))
    words = f"{plain(found[0].name)} comes first, {plain(found[-1].name)} last."
    if key == "accuracy":
        words += (
            " The lines are 95 % intervals for the chance of which rows are in the test split: "
            "variants whose lines overlap much may be equally good."
        )
    drawn = results_figure(found, f"{key} on the test split")
    yield f'<h2>On the test split</h2><div class="pair">{figure(drawn, words)}</div>'


def _chance(share: float, metrics: Mapping[str, Any]) -> float:
    return 1.96 * math.sqrt(share * (1 - share) / max(1, metrics.get("rows", 1)))
