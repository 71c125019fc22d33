"""The figures of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from distkeras.report.curves import Course
from distkeras.report.figures import short
from distkeras.report.markup import score
from distkeras.report.svg import ACCENT, DASHES, INK, MUTED, SERIES, SIZE, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Result", "courses_figure", "line_of", "results_figure"]

# Inches: of a row with a name and a dot, and of the axis below them all.
_ROW, _AXIS = 0.36, 0.55
_LONGEST = 44


class Result(NamedTuple):
    """What one variant has reached.

    Attributes:
        name: of the variant.
        value: what it reached.
        margin: to each side, of chance; 0 for none known.
        best: whether none is better.
    """

    name: str
    value: float
    margin: float
    best: bool


def line_of(number: int) -> dict[str, Any]:
    """How the line of a variant, or of a group of them, is drawn; the same as ``svg.swatch``."""
    dashes = DASHES[number // len(SERIES) % len(DASHES)]
    return {"color": SERIES[number % len(SERIES)], "linestyle": (0, dashes) if dashes else "solid"}


def courses_figure(
    courses: Mapping[int, Course],
    name: str,
    against: str,
    target: float | None = None,
    virtual: bool = False,
) -> str:
    """A measure of several trainings, against time or against rows.

    Args:
        courses: by the number of the variant, which has its colour.
        name: of the measure.
        against: "seconds" or "samples".
        target: a dashed line is drawn there.
        virtual: whether the seconds are those of a simulation.
    """
    words = "virtual " * virtual + "seconds since the first window"

    def draw(axes: Axes) -> None:
        axes.grid(visible=False, axis="x")
        for number, one in courses.items():
            axes.plot(getattr(one, against), one.values, linewidth=1.5, **line_of(number))
        if target is not None:
            # Without words: wherever they stood, a line could go through them.
            axes.axhline(target, color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
        axes.set_ylim(*_limits(courses, name, target))
        last = max(getattr(one, against)[-1] for one in courses.values())
        axes.set_xlim(0, last * 1.02 or 1)
        if against == "samples":
            axes.xaxis.set_major_formatter(lambda value, _: short(value))
        axes.locator_params(axis="both", nbins=5)
        axes.set_xlabel(words if against == "seconds" else "samples merged")
        axes.set_ylabel(f"training {name}")

    which = "simulated variant" if virtual else "variant"
    return drawing(draw, f"training {name} against {against}, {which} by {which}")


def results_figure(results: Sequence[Result], label: str) -> str:
    """What each variant has reached, as dots.

    Args:
        results: from top to bottom.
        label: what is measured.
    """

    def draw(axes: Axes) -> None:
        axes.grid(visible=False, axis="y")
        axes.set_yticks([])
        for row, one in enumerate(results):
            _result(axes, row, one)
        low = min(one.value - one.margin for one in results)
        high = max(one.value + one.margin for one in results)
        room = 0.08 * (high - low) or 0.05 * abs(high) or 0.05
        axes.set(xlim=(low - room, high + 3 * room), ylim=(len(results) - 0.4, -0.75))
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel(label)

    return drawing(draw, f"{label}, variant by variant", (SIZE[0], _AXIS + _ROW * len(results)))


def _limits(courses: Mapping[int, Course], name: str, target: float | None) -> tuple[float, float]:
    """The span of all lines, of a loss without single wild points; the target is in it."""
    values = [one.values for one in courses.values()]
    whole = np.concatenate(values)
    low, high = float(whole.min()), float(whole.max())
    if name == "loss":
        # At least half of each line is seen.
        high = max(np.percentile(whole, 98), *(float(np.median(each)) for each in values))
    if target is not None:
        low, high = min(low, target), max(high, target)
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin


def _result(axes: Axes, row: int, one: Result) -> None:
    color = ACCENT if one.best else INK
    span = (one.value - one.margin, one.value + one.margin)
    axes.plot(span, (row, row), color=color, linewidth=1.2)
    axes.plot([one.value], [row], "o", color=color, markersize=5)
    axes.annotate(
        score(one.value),
        (span[1], row),
        (5, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
        weight="bold" if one.best else "normal",
        color=color,
    )
    name = one.name if len(one.name) <= _LONGEST else one.name[: _LONGEST - 1] + "…"
    # Above its own dot, so that a long name needs no room beside the figure.
    axes.text(0, row - 0.28, name, transform=axes.get_yaxis_transform(), va="bottom", fontsize=7)
