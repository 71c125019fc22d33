"""Values as HTML: everything that came from outside is escaped here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

__all__ = [
    "NONE",
    "definitions",
    "figure",
    "nested",
    "number",
    "percent",
    "plain",
    "seconds",
    "table",
]

# An en dash; a minus sign as wide as a digit.
NONE = "\u2013"
_MINUS = "\u2212"
_LONGEST = 400


def plain(value: Any) -> str:
    """A value in one cell, escaped."""
    if value is None or value == "" or value == {}:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(plain(each) for each in value) or NONE
    text = str(value)
    return escape(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


def number(value: float | None, digits: int = 4) -> str:
    """A number for readers: whole ones with separators, others with significant digits."""
    if value is None or not math.isfinite(value):
        return NONE
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        return f"{int(value):,}".replace("-", _MINUS)
    return f"{value:.{digits}g}".replace("-", _MINUS)


def score(value: float | None) -> str:
    """A measure, with four decimal places if it is of the size of a share."""
    if value is None or not abs(value) < 10:
        return number(value)
    return f"{value:.4f}".replace("-", _MINUS)


def percent(value: float | None) -> str:
    """A share, with one decimal place."""
    return NONE if value is None else f"{value:.1%}"


def seconds(value: float) -> str:
    """A duration in the units that people use."""
    if value < 100:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def figure(drawn: str, caption: str) -> str:
    """A drawing with the sentence that says what it shows.

    Args:
        drawn: SVG.
        caption: HTML.
    """
    return f"<figure>{drawn}<figcaption>{caption}</figcaption></figure>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], classes: str = "") -> str:
    """A table whose first column names the row.

    Args:
        head: HTML of the column heads.
        rows: HTML of the cells.
        classes: of the ``<table>``.
    """
    heads = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return (
        f'<div class="scroll"><table class="{classes}"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def definitions(pairs: Iterable[tuple[str, str]], classes: str = "facts") -> str:
    """Names with what they stand for.

    Args:
        pairs: HTML of name and value.
        classes: of the ``<dl>``.
    """
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="{classes}">{items}</dl>' if items else ""


def nested(value: Mapping[str, Any]) -> str:
    """Everything in a manifest, as a list of names and values; parts of one shape as a table.

    Args:
        value: as JSON holds it.
    """
    if _uniform(value):
        return _grid(value)
    rows = []
    for name, part in value.items():
        if isinstance(part, Mapping) and part:
            rows.append(
                f'<div class="part"><dt>{escape(str(name))}</dt><dd>{nested(part)}</dd></div>'
            )
        else:
            rows.append(f"<div><dt>{escape(str(name))}</dt><dd>{plain(part)}</dd></div>")
    return f'<dl class="nested">{"".join(rows)}</dl>'


def _uniform(value: Mapping[str, Any]) -> bool:
    parts = list(value.values())
    if len(parts) < 2 or not all(isinstance(part, Mapping) and part for part in parts):
        return False
    return all(
        part.keys() == parts[0].keys()
        and not any(isinstance(each, Mapping | list | tuple) for each in part.values())
        for part in parts
    )


def _grid(value: Mapping[str, Mapping[str, Any]]) -> str:
    names = list(next(iter(value.values())))
    head = ["", *(escape(str(name)) for name in names)]
    rows = [
        [escape(str(row)), *(plain(part[name]) for name in names)] for row, part in value.items()
    ]
    return table(head, rows)
