"""The drawn part of a search's page: figures, each with a sentence that says what it shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from distkeras.report.markup import figure, number, plain, score
from distkeras.report.search_figures import Point, against_figure, trials_figure
from distkeras.report.standings import Competitor

__all__ = ["Axis", "Candidate", "drawn", "label"]


@dataclass(frozen=True)
class Axis:
    """A key that was searched.

    Attributes:
        key: of the experiment.
        name: what the page calls it.
        values: of a list, or the two ends of a range, as TOML writes them.
        scale: of a range, how it is drawn; "list" for a list.
    """

    key: str
    name: str
    values: Sequence[str]
    scale: Literal["linear", "log", "list"]


@dataclass(frozen=True)
class Candidate:
    """A trial of a search.

    Attributes:
        number: from 1.
        values: by key, as TOML writes them.
        shown: its row in the table.
        value: of the objective; None where it was stopped or has failed.
    """

    number: int
    values: Mapping[str, str]
    shown: Competitor
    value: float | None


def label(text: str) -> str:
    """A value for readers: text without its quotes."""
    return str(json.loads(text)) if text.startswith('"') else text


def drawn(
    axes: Sequence[Axis], candidates: Sequence[Candidate], less: bool, objective: str
) -> Iterator[str]:
    """The objective over the trials, and against each key.

    Args:
        axes: the keys.
        candidates: in their order.
        less: whether less of the objective is better.
        objective: its name for readers.
    """
    whole = [one for one in candidates if one.value is not None]
    if not whole:
        return
    choose = min if less else max
    top = choose(whole, key=lambda one: one.value or 0.0)
    figures = [_over_trials(candidates, top, less, objective)]
    figures += [_against(axis, candidates, top, less, objective) for axis in axes]
    yield f'<h2>What was tried</h2><div class="pair">{"".join(figures)}</div>'


def _over_trials(
    candidates: Sequence[Candidate], top: Candidate, less: bool, objective: str
) -> str:
    points = [Point(float(one.number), one.value, one is top) for one in candidates]
    after = len(candidates) - top.number
    words = (
        f"Each trial's {objective} on the test split; the line is the best so far. Trial "
        f"{top.number} reached <b>{score(top.value)}</b>"
    )
    if after:
        words += f", and the {after} after it no better" if after > 1 else ", the last no better"
    return figure(trials_figure(points, objective, less), f"{words}.{_crosses(points)}")


def _against(
    axis: Axis, candidates: Sequence[Candidate], top: Candidate, less: bool, objective: str
) -> str:
    listed = list(axis.values) if axis.scale == "list" else None
    points = [
        Point(
            float(listed.index(one.values[axis.key]) if listed else one.values[axis.key]),
            one.value,
            one is top,
        )
        for one in candidates
    ]
    names = [label(text) for text in listed] if listed else None
    drawing = against_figure(points, (axis.name, objective), axis.scale == "log", names)
    words = (
        _best_mean(points, names, less, objective, axis.name)
        if names
        else _best_part(points, top, axis, less, objective)
    )
    return figure(drawing, words + _crosses(points))


def _best_mean(
    points: Sequence[Point], names: Sequence[str], less: bool, objective: str, name: str
) -> str:
    """Which value of a list does best on average."""
    means = {}
    for place in range(len(names)):
        values = [one.y for one in points if one.x == place and one.y is not None]
        if values:
            means[place] = (sum(values) / len(values), len(values))
    choose = min if less else max
    place = choose(means, key=lambda each: means[each][0])
    mean, count = means[place]
    trials = "trial" if count == 1 else "trials"
    return (
        f"{_capital(objective)} against {plain(name)}; "
        f"the short lines are means. <b>{plain(names[place])}</b> has the best one, "
        f"{score(mean)} of {count} {trials}."
    )


def _best_part(
    points: Sequence[Point], top: Candidate, axis: Axis, less: bool, objective: str
) -> str:
    """Where in a range the best quarter is."""
    whole = [one for one in points if one.y is not None]
    whole.sort(key=lambda one: one.y or 0.0, reverse=not less)
    quarter = [one.x for one in whole[: max(2, round(len(whole) / 4))]]
    words = (
        f"{_capital(objective)} against "
        f"{plain(axis.name)}: the best trial had <b>{plain(top.values[axis.key])}</b>"
    )
    if len(whole) > 2:
        span = f"{number(min(quarter), 3)} and {number(max(quarter), 3)}"
        words += f", the best {len(quarter)} lie between {span}"
    return words + "."


def _crosses(points: Sequence[Point]) -> str:
    if all(one.y is not None for one in points):
        return ""
    return " Crosses: trials that were stopped or failed."


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
