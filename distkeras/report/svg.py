"""Matplotlib's drawings as SVG that takes its colours and letters from the page around it.

Figures are drawn with placeholder colours, which become the page's CSS variables: so they follow
the reader's light or dark scheme, and their text is text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "ACCENT",
    "CARD",
    "DASHES",
    "INK",
    "MUTED",
    "ON_ACCENT",
    "SERIES",
    "SIZE",
    "drawing",
    "swatch",
]

INK, MUTED, _RULE, ACCENT, ON_ACCENT = "#010101", "#020202", "#030303", "#040404", "#050505"
#: What a figure stands on.
CARD = "#060606"
#: Colours that a reader can tell apart, also one who sees fewer of them; then the same with dashes.
SERIES = [f"#0707{number:02x}" for number in range(8)]
DASHES: tuple[tuple[float, ...], ...] = ((), (4, 2), (1, 1.5), (6, 2, 1, 2))
_VARIABLES = {
    **{color: f"var(--series-{number})" for number, color in enumerate(SERIES)},
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    _RULE: "var(--rule)",
    ACCENT: "var(--accent)",
    ON_ACCENT: "var(--on-accent)",
    CARD: "var(--card)",
}
# So small that on a phone, where the page is about as wide, the letters stay readable.
SIZE = (3.2, 2.3)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 8,
    "text.color": INK,
    "axes.edgecolor": _RULE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "grid.color": _RULE,
    "grid.linewidth": 0.5,
    "xtick.color": _RULE,
    "ytick.color": _RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "ytick.major.size": 0,
    "xtick.major.size": 3,
    "lines.solid_capstyle": "round",
}


def drawing(draw: Callable[[Axes], None], label: str, size: tuple[float, float] = SIZE) -> str:
    """One figure as an ``<svg>`` element, as wide as its place allows.

    Args:
        draw: puts everything on the axes.
        label: what screen readers say; different for each figure of a page.
        size: width and height in inches: their ratio, and how large the letters are in it.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # The salt keeps the names of markers and clip paths apart between the figures of one page.
    with mpl.rc_context({**_STYLE, "svg.hashsalt": label}):
        figure = Figure(size, layout="constrained")
        draw(figure.add_subplot())
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return _for_page(drawn.getvalue(), label)


def swatch(number: int) -> str:
    """A short piece of a series' line, for the words that say which it is.

    Args:
        number: of the series, from 0.
    """
    dashes = DASHES[number // len(SERIES) % len(DASHES)]
    pattern = (
        f' stroke-dasharray="{" ".join(str(1.6 * each) for each in dashes)}"' if dashes else ""
    )
    return (
        '<svg class="swatch" viewBox="0 0 22 10" aria-hidden="true"><path d="M1 5H21" fill="none" '
        f'stroke="var(--series-{number % len(SERIES)})" stroke-width="3"{pattern}/></svg>'
    )


def _for_page(svg: str, label: str) -> str:
    """An SVG file as an element: without its own letters, colours, names and metadata."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(
        r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.S
    )
    svg = re.sub(r' id="(?:figure|axes|patch|line2d|text|xtick|ytick|matplotlib)[\w.]*"', "", svg)
    svg = re.sub(r" ?font-family: [^;\"]*;?", "", svg)
    svg = re.sub(r"font: (bold )?(?:\d+ )?([\d.]+px)[^;\"]*", _font, svg)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, variable)
    svg = re.sub(r"\s*\n\s*", " ", svg)
    opening = f'<svg role="img" aria-label="{escape(label)}"'
    return re.sub(r'^<svg(.*?) width="[^"]*" height="[^"]*"', rf"{opening}\1", svg, count=1)


def _font(found: re.Match[str]) -> str:
    weight = "font-weight: 600; " if found[1] else ""
    return f"{weight}font-size: {found[2]}"
