"""The page of a search: what its trials were, and what they reached."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import NormalDist
from typing import Any

from distkeras import storage
from distkeras.report.comparison import failed, origins, side_by_side
from distkeras.report.markup import definitions, plain, score
from distkeras.report.search_drawn import Axis, Candidate, drawn, label
from distkeras.report.standings import BETTER, Competitor, best, measured, same_loss
from distkeras.report.style import whole_page

__all__ = ["Axis", "Candidate", "Quest", "write_search"]

_WORDS = {"accuracy": "accuracy", "roc_auc": "ROC AUC", "rmse": "RMSE", "r2": "R²", "loss": "loss"}


@dataclass(frozen=True)
class Quest:
    """What was searched for.

    Attributes:
        config: the experiment's file.
        objective: the measure on the test split by which the best was chosen.
        axes: the keys that were searched.
    """

    config: str
    objective: str
    axes: Sequence[Axis]


def write_search(
    path: storage.Url, quest: Quest, candidates: Sequence[Candidate]
) -> dict[str, Any]:
    """Writes one self-contained HTML page about a search.

    Args:
        path: the file to write.
        quest: what was searched for.
        candidates: the trials in their order, failed and stopped ones among them.

    Returns:
        The same as JSON: ``objective``, ``chosen_on`` (the split), ``best`` (the numbers of the
        best trials) and ``trials``, a list of numbers, overrides and measures (see ``measured``),
        or why one was stopped or failed.
    """
    ranked = _ranked(quest, candidates)
    name = escape(Path(quest.config).stem)
    words = _WORDS[quest.objective]
    listed = [one for one in ranked if not _repeated(one, candidates)]
    shown = [one.shown for one in listed]
    body = [
        f'<header><p class="over">distkeras: {len(candidates)} trials of one search</p>'
        f"<h1>{name}</h1></header>",
        _headline(quest, ranked),
        *_caveat(quest, ranked),
        *drawn(quest.axes, candidates, BETTER[quest.objective] == "min", words),
        _table(quest, listed, candidates),
        *_stopped(shown),
        *failed(shown),
        *origins(quest.config, shown),
    ]
    storage.write_bytes(path, whole_page(f"{name}: search", body).encode())
    return _json(quest, ranked, candidates)


def _ranked(quest: Quest, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best first; those without a value last, in their order."""
    sign = 1 if BETTER[quest.objective] == "min" else -1
    return sorted(candidates, key=lambda one: math.inf if one.value is None else sign * one.value)


def _repeated(one: Candidate, candidates: Sequence[Candidate]) -> bool:
    """Whether an earlier trial has had the same values."""
    return any(other.values == one.values and other.number < one.number for other in candidates)


def _headline(quest: Quest, ranked: Sequence[Candidate]) -> str:
    first = ranked[0]
    counts = [
        f"{number} {'was' if number == 1 else 'were'} {word}"
        if word == "stopped"
        else f"{number} failed"
        for word, number in (
            ("stopped", sum(bool(one.shown.stopped) for one in ranked)),
            ("failed", sum(bool(one.shown.failed) for one in ranked)),
        )
        if number
    ]
    also = f" {', '.join(counts)}." if counts else ""
    if first.value is None:
        return f'<div class="lead"><span>No trial came to its end.{also}</span></div>'
    values = ", ".join(
        f"{plain(axis.name)} = {plain(label(first.values[axis.key]))}" for axis in quest.axes
    )
    return (
        f'<div class="lead"><strong>{score(first.value)}</strong><span>is the best '
        f"{_WORDS[quest.objective]} on the test split of {len(ranked)} trials: trial "
        f"{first.number}, with <b>{values}</b>.{also}</span></div>"
    )


def _caveat(quest: Quest, ranked: Sequence[Candidate]) -> Iterator[str]:
    """That what one chooses by is no measure of the choice."""
    whole = [one for one in ranked if one.value is not None]
    if len(whole) < 2:
        return
    words = _WORDS[quest.objective]
    said = (
        f"The best of {len(whole)} trials was chosen by its {words} on the test split, as there is "
        f"no split of its own for that: this {words} is optimistic."
    )
    rows = whole[0].shown.metrics.get("rows")
    if quest.objective == "accuracy" and rows:
        lucky = _luck(whole[0].value or 0.0, rows, len(whole))
        said += (
            f" By the chance of which {rows:,} rows are in it alone, the best of {len(whole)} "
            f"equally good trials may come out up to about {lucky:.4f} too high."
        )
    yield f'<p class="note">{said} An honest number needs rows by which no trial was chosen.</p>'


def _luck(share: float, rows: int, trials: int) -> float:
    """How far the best of several equal shares is above their mean, if each has its own chance.

    Blom's approximation of the largest of ``trials`` normal numbers, in standard errors.
    """
    most = NormalDist().inv_cdf((trials - 0.375) / (trials + 0.25))
    return most * math.sqrt(share * (1 - share) / rows)


def _table(quest: Quest, listed: Sequence[Candidate], candidates: Sequence[Candidate]) -> str:
    shown = [one.shown for one in listed]
    rows = [measured(one, None) for one in shown]
    about = {
        plain(axis.name): [plain(label(one.values[axis.key])) for one in listed]
        for axis in quest.axes
    }
    tops = best(rows, same_loss(shown))
    table = side_by_side(shown, rows, tops, head="Trial", about=about)
    again = [str(one.number) for one in candidates if _repeated(one, candidates)]
    if not again:
        return table
    many = f"Trials {', '.join(again)} have" if len(again) > 1 else f"Trial {again[0]} has"
    return f'{table}<p class="note">{many} drawn the values of an earlier one again.</p>'


def _stopped(shown: Sequence[Competitor]) -> Iterator[str]:
    found = [
        (f"Trial {plain(one.name)}", f"stopped {plain(one.stopped)}")
        for one in shown
        if one.stopped
    ]
    if found:
        yield f'<h2>Stopped</h2><div class="card">{definitions(found, "facts apart")}</div>'


def _json(
    quest: Quest, ranked: Sequence[Candidate], candidates: Sequence[Candidate]
) -> dict[str, Any]:
    top = ranked[0].value
    return {
        "objective": quest.objective,
        "chosen_on": "test",
        "best": [one.number for one in candidates if one.value is not None and one.value == top],
        "trials": [_row(one) for one in candidates],
    }


def _row(one: Candidate) -> dict[str, Any]:
    about: dict[str, Any] = {"number": one.number, "overrides": list(one.shown.overrides)}
    for name in ("failed", "stopped"):
        if why := getattr(one.shown, name):
            return about | {name: why}
    numbers = measured(one.shown, None)
    del numbers["seconds_to_target"]
    return about | {
        key: value if value is not None and math.isfinite(value) else None
        for key, value in numbers.items()
    }
