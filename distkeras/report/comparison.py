"""The page that sets variants of one experiment side by side."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from distkeras import storage
from distkeras.report.comparison_drawn import courses, results
from distkeras.report.comparison_workers import by_number
from distkeras.report.markup import NONE, definitions, number, plain, score, seconds, table
from distkeras.report.standings import (
    BETTER,
    Competitor,
    Rows,
    Target,
    best,
    known,
    measured,
    ranked_by,
    same_loss,
)
from distkeras.report.style import whole_page

__all__ = ["failed", "origins", "side_by_side", "write_comparison"]

_HEADS = {
    "accuracy": "Accuracy",
    "roc_auc": "ROC AUC",
    "rmse": "RMSE",
    "r2": "R²",
    "loss": "Loss",
    "seconds_to_target": "To target",
    "seconds": "Training",
    "samples_per_second": "Samples/s",
    "exchange_wait": "Waited",
    "updates": "Updates",
    "staleness": "Staleness",
}
_SECONDS = ("seconds_to_target", "seconds", "exchange_wait")
_SCORES = ("accuracy", "roc_auc", "rmse", "r2", "loss")


def write_comparison(
    path: storage.Url, config: str, competitors: Sequence[Competitor], target: Target | None = None
) -> dict[str, Any]:
    """Writes one self-contained HTML page that compares variants.

    Args:
        path: the file to write.
        config: the experiment's file.
        competitors: in the order of the table; failed ones among them.
        target: a measure of the training, and how good it shall become.

    Returns:
        The same as JSON: ``variants``, a list of names, overrides and numbers (see ``measured``) or
        what failed, and ``best``, the names of those that are best in a column.
    """
    rows = [measured(one, target) for one in competitors]
    tops = best(rows, same_loss(competitors), [bool(one.simulated) for one in competitors])
    name = Path(config).stem
    body = [
        f'<header><p class="over">distkeras: {len(rows)} variants of one experiment</p>'
        f"<h1>{escape(name)}</h1></header>",
        _headline(competitors, rows, tops),
        side_by_side(competitors, rows, tops, target),
        *failed(competitors),
        *courses(competitors, rows, target),
        *by_number(competitors, rows),
        *results(competitors, rows, tops),
        *origins(config, competitors),
    ]
    storage.write_bytes(path, whole_page(f"{escape(name)}: comparison", body).encode())
    return _json(competitors, rows, tops, target)


def _json(
    competitors: Sequence[Competitor],
    rows: Rows,
    tops: Mapping[str, Sequence[int]],
    target: Target | None,
) -> dict[str, Any]:
    variants = [
        {"name": one.name, "overrides": list(one.overrides)}
        | ({"simulated": dict(one.simulated)} if one.simulated else {})
        | ({"failed": one.failed} if one.failed else {key: _finite(row[key]) for key in BETTER})
        for one, row in zip(competitors, rows, strict=True)
    ]
    return {
        "variants": variants,
        "best": {key: [competitors[each].name for each in tops[key]] for key in tops},
        "target": dict([target]) if target else None,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _headline(
    competitors: Sequence[Competitor], rows: Rows, tops: Mapping[str, Sequence[int]]
) -> str:
    key = ranked_by(rows)
    won = tops.get(key, [])
    lost = sum(bool(one.failed) for one in competitors)
    also = f" {lost} of {len(rows)} variants failed." if lost else ""
    if not won:
        return f'<div class="lead"><span>No variant is ahead of the others.{also}</span></div>'
    names = ", ".join(plain(competitors[each].name) for each in won)
    words = f"is the best {_HEADS[key].lower() if key != 'rmse' else 'RMSE'} on the test split: "
    value = rows[won[0]][key]
    return (
        f'<div class="lead"><strong>{score(value)}</strong>'
        f"<span>{words}<b>{names}</b>.{also}</span></div>"
    )


def side_by_side(
    competitors: Sequence[Competitor],
    rows: Rows,
    tops: Mapping[str, Sequence[int]],
    target: Target | None = None,
    head: str = "Variant",
    about: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The table with the best marked.

    Args:
        competitors: in its order.
        rows: from ``measured``.
        tops: from ``best``.
        target: as ``write_comparison`` has it.
        head: what a competitor is called.
        about: further columns behind the names: HTML of the cells, by that of the head.
    """
    shown = [key for key in BETTER if known(rows, key) or (key == "seconds_to_target" and target)]
    cells = []
    for number_, (one, row) in enumerate(zip(competitors, rows, strict=True)):
        marked = [_cell(key, row[key], number_ in tops.get(key, ())) for key in shown]
        if not one.there:
            word = "failed" if one.failed else "stopped"
            marked = [f'<span class="{word}">{word}</span>', *[NONE] * (len(shown) - 1)]
        elif target and row["seconds_to_target"] is None:
            marked[shown.index("seconds_to_target")] = "not reached"
        mark = "<i>simulated</i>" if one.simulated else ""
        said = [column[number_] for column in (about or {}).values()]
        cells.append([f"{plain(one.name)} {mark}".strip(), *said, *marked])
    made = table(
        [head, *(about or {}), *(_HEADS[key] for key in shown)],
        cells,
        "compare tried" if about else "compare",
    )
    return f'<h2>Side by side</h2><div class="card">{made}{_notes(competitors, target)}</div>'


def _cell(key: str, value: float | None, top: bool) -> str:
    if value is None:
        return NONE
    text = score(value) if key in _SCORES else number(value, 3)
    if key in _SECONDS:
        text = seconds(value) if value >= 1 else f"{1000 * value:.0f} ms"
    elif key == "samples_per_second":
        text = f"{value:,.0f}"
    return f"<b>{text}</b>" if top else text


def _notes(competitors: Sequence[Competitor], target: Target | None) -> str:
    said = [
        "The best of each column is marked. Accuracy, AUC, RMSE and loss are those of the test "
        "split. Training: from the first merged window to the last, without start-up. Waited: what "
        "a worker stood still for exchanges, on average. Staleness: updates of others that a "
        "window was trained without, on average."
    ]
    if target:
        said.append(f"Target: a training {plain(target[0])} of {number(target[1])}.")
    if not same_loss(competitors):
        said.append("They minimize different losses, so their values cannot be compared.")
    if any(one.simulated for one in competitors):
        said.append("Simulated: virtual seconds, which compete with no real ones.")
    if _together(competitors):
        said.append(
            "Some of them were trained at the same time: where they shared a machine, their times "
            "are those of a shared machine."
        )
    return f'<p class="note">{" ".join(said)}</p>'


def _together(competitors: Sequence[Competitor]) -> bool:
    spans = []
    for one in competitors:
        if one.history is not None and one.history.num_rows and not one.simulated:
            times = one.history["timestamp"].to_numpy()
            spans.append((float(times.min()), float(times.max())))
    spans.sort()
    return any(later[0] < sooner[1] for sooner, later in itertools.pairwise(spans))


def failed(competitors: Sequence[Competitor]) -> Iterator[str]:
    """Why those failed that did."""
    found = [(plain(one.name), plain(one.failed)) for one in competitors if one.failed]
    if found:
        yield f'<h2>Failed</h2><div class="card">{definitions(found, "facts apart")}</div>'


def origins(config: str, competitors: Sequence[Competitor]) -> Iterator[str]:
    """What sets them apart, with links to their own reports."""
    pairs = [(plain(one.name), _origin(one)) for one in competitors]
    shown = definitions([("Config", plain(config)), *pairs], "facts apart")
    yield f'<h2>What sets them apart</h2><div class="card">{shown}</div>'


def _origin(one: Competitor) -> str:
    overrides = " ".join(f"<code>{plain(each)}</code>" for each in one.overrides)
    said = overrides or "as the file has it"
    return f'{said} (<a href="{escape(one.report)}">report</a>)' if one.report else said
