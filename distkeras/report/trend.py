"""The page of all nights: how good the models were, what came in, how far it drifted, how long."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from distkeras import storage
from distkeras.report.markup import NONE, figure, number, plain, score, seconds, table
from distkeras.report.style import whole_page
from distkeras.report.svg import swatch
from distkeras.report.trend_figures import Series, bars_figure, lines_figure

__all__ = ["write_trend"]

Night = Mapping[str, Any]
Nights = Sequence[Night]

_MODELS = ("new", "serving", "baseline")
_TITLES = {
    "accuracy": "Accuracy",
    "roc_auc": "ROC AUC",
    "log_loss": "Log-loss",
    "loss": "Loss",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
}
# In more lines than these a reader finds none.
_MOST_COLUMNS = 6
# More than these say no more.
_MOST_DATES = 5
_WORDS = {
    "promoted": "new model promoted",
    "kept": "old model kept",
    "quarantined": "bad day",
    "late": "day came late",
    "collected": "too few days to train on",
}


def write_trend(path: storage.Url, name: str, nights: Nights) -> None:
    """Writes one self-contained HTML page about all nights.

    Args:
        path: the file to write.
        name: what is retrained.
        nights: their records, in the order of their dates: ``date`` (ISO), ``outcome``, ``why``;
            and where they are known ``rows``, ``measure`` (which decides), ``scores`` (by measure,
            of new, serving and baseline), ``drift`` (by column) and ``seconds``.
    """
    body = [
        f'<header><p class="over">distkeras: {len(nights)} nights</p>'
        f"<h1>{escape(name)}</h1></header>",
        _headline(nights),
        *_scores(nights),
        *_volume(nights),
        *_drift(nights),
        *_durations(nights),
        _table(nights),
    ]
    storage.write_bytes(path, whole_page(f"{escape(name)}: nights", body).encode())


def _headline(nights: Nights) -> str:
    counts = Counter(str(night["outcome"]) for night in nights)
    said = "; ".join(
        f"{_WORDS.get(outcome, plain(outcome))}: <b>{count}</b>"
        for outcome, count in counts.most_common()
    )
    said += f".{_without_record(nights)}"
    promoted = [night for night in nights if night["outcome"] == "promoted"]
    if not promoted:
        return f'<div class="lead"><span>No model was promoted yet. {said}</span></div>'
    last = promoted[-1]
    value = score(last["scores"][last["measure"]]["new"])
    title = plain(_TITLES.get(last["measure"], last["measure"]))
    return (
        f'<div class="lead"><strong>{value}</strong><span>{title} of the model '
        f"that serves, on the day of its promotion, {plain(last['date'])}. Of all nights: {said}"
        "</span></div>"
    )


def _without_record(nights: Nights) -> str:
    """The days in between whose file has not come, or whose run has not ended."""
    there = set(_dates([(night["date"], 0.0) for night in nights]))
    day = datetime.timedelta(days=1)
    span = (max(there) - min(there)).days if there else 0
    gaps = [date for i in range(span) if (date := min(there) + i * day) not in there]
    if not gaps:
        return ""
    named = ", ".join(str(date) for date in gaps[:_MOST_DATES])
    more = f" and {len(gaps) - _MOST_DATES} more" if len(gaps) > _MOST_DATES else ""
    return f" No record in between: {named}{more}."


def _scores(nights: Nights) -> Iterator[str]:
    judged = [night for night in nights if night.get("scores")]
    if not judged:
        return
    # The one that decides first.
    names = dict.fromkeys([str(judged[-1]["measure"]), *judged[-1]["scores"]])
    drawn = [_score(judged, name) for name in names]
    yield f'<h2>How good</h2>{_legend(_MODELS)}<div class="pair">{"".join(drawn)}</div>'


def _score(judged: Nights, name: str) -> str:
    """One measure of all models on each day."""
    scores = [(night, night["scores"].get(name) or {}) for night in judged]
    lines = []
    for place, model in enumerate(_MODELS):
        found = [(night["date"], one[model]) for night, one in scores if _number(one, model)]
        if found:
            values = [float(value) for _, value in found]
            lines.append(Series(_dates(found), values, place, model == "new"))
    title = _TITLES.get(name, name)
    words = f"{plain(title)} on each day, before any model was trained on it."
    both = [one for _, one in scores if _number(one, "new") and _number(one, "serving")]
    if both:
        gain = sum(one["new"] - one["serving"] for one in both) / len(both)
        words += (
            f" The new model is {'above' if gain >= 0 else 'below'} the serving one by "
            f"<b>{abs(gain):.4f}</b> on average over {len(both)} nights."
        )
    if name == str(judged[-1]["measure"]):
        words += " This measure decides which one serves."
    return figure(lines_figure(lines, title, f"{title} of the models, night by night"), words)


def _number(scores: Mapping[str, Any], model: str) -> bool:
    return isinstance(scores.get(model), int | float)


def _volume(nights: Nights) -> Iterator[str]:
    found = _known(nights, lambda night: night.get("rows"))
    if not found:
        return
    bad = {night["date"] for night in nights if night["outcome"] == "quarantined"}
    mean = sum(value for _, value in found) / len(found)
    words = f"Rows of each day, <b>{number(round(mean))}</b> on average"
    marked = [date in bad for date, _ in found]
    words += "; a bad day is marked" if any(marked) else ""
    if unread := sorted(bad.difference(date for date, _ in found)):
        words += f"; not readable: {', '.join(map(plain, unread[-_MOST_DATES:]))}"
    words += "." if bad else "; no day was bad."
    drawn = bars_figure(_dates(found), [v for _, v in found], "rows of the day", marked)
    yield f'<h2>What came in</h2><div class="pair">{figure(drawn, words)}'
    yield "</div>"


def _drift(nights: Nights) -> Iterator[str]:
    worst: dict[str, float] = {}
    for night in nights:
        for name, value in (night.get("drift") or {}).items():
            worst[name] = max(worst.get(name, 0.0), value)
    shown = sorted(worst, key=lambda name: -worst[name])[:_MOST_COLUMNS]
    if not shown:
        return
    lines = []
    for place, name in enumerate(shown):
        found = _known(nights, lambda night, name=name: (night.get("drift") or {}).get(name))
        lines.append(Series(_dates(found), [value for _, value in found], place))
    when = next(
        n["date"] for n in nights if (n.get("drift") or {}).get(shown[0]) == worst[shown[0]]
    )
    words = (
        f"The population stability index of each day against its window: furthest was "
        f"{plain(shown[0])} on {plain(when)}, with <b>{worst[shown[0]]:.2f}</b>."
    )
    if len(worst) > len(shown):
        words += f" Drawn are {len(shown)} of {len(worst)} columns."
    yield f"<h2>How far it drifted</h2>{_legend(shown)}"
    drawn = lines_figure(lines, "population stability index", "drift, day by day")
    yield f'<div class="pair">{figure(drawn, words)}</div>'


def _durations(nights: Nights) -> Iterator[str]:
    found = _known(nights, lambda night: night.get("seconds"))
    if not found:
        return
    longest = max(found, key=lambda one: one[1])
    words = (
        f"How long each night took, the day's reading included: at most "
        f"<b>{seconds(longest[1])}</b>, on {plain(longest[0])}."
    )
    drawn = bars_figure(_dates(found), [value for _, value in found], "seconds")
    yield f'<h2>How long it took</h2><div class="pair">{figure(drawn, words)}</div>'


def _table(nights: Nights) -> str:
    rows = []
    for night in reversed(nights):
        scores = (night.get("scores") or {}).get(night.get("measure")) or {}
        shown = [score(scores.get(which)) for which in _MODELS]
        link = f'<a href="nights/{escape(night["date"])}/report.html">{escape(night["date"])}</a>'
        name = link if night.get("scores") else escape(night["date"])
        rows.append([name, plain(night["outcome"]), *shown, number(night.get("rows"))])
    made = table(["Night", "Outcome", "New", "Serving", "Baseline", "Rows"], rows, "compare")
    reasons = "".join(
        f"<div><dt>{escape(night['date'])}</dt><dd>{plain(night.get('why')) or NONE}</dd></div>"
        for night in reversed(nights)
    )
    return (
        f'<h2>Night by night</h2><div class="card">{made}</div>'
        f'<h2>Why</h2><div class="card"><dl class="facts apart">{reasons}</dl></div>'
    )


def _legend(names: Sequence[str]) -> str:
    keys = "".join(f"<li>{swatch(place)}{plain(name)}</li>" for place, name in enumerate(names))
    return f'<ul class="legend">{keys}</ul>'


def _known(nights: Nights, value: Any) -> list[tuple[str, float]]:
    """Date and value of the nights that have one."""
    pairs = ((str(night["date"]), value(night)) for night in nights)
    return [(date, float(found)) for date, found in pairs if found is not None]


def _dates(found: Sequence[tuple[str, float]]) -> list[datetime.date]:
    return [datetime.date.fromisoformat(date) for date, _ in found]
