"""The figures of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from distkeras.report.svg import ACCENT, INK, MUTED, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Point", "against_figure", "trials_figure"]

# Letters below the axis, all values together, that need no slant.
_ROOM = 34
_LONGEST = 20


class Point(NamedTuple):
    """A trial.

    Attributes:
        x: where it stands.
        y: the objective; None where there is none.
        best: whether none is better.
    """

    x: float
    y: float | None
    best: bool


def trials_figure(points: Sequence[Point], objective: str, less: bool) -> str:
    """The objective, trial by trial, and the best so far as a line.

    Args:
        points: by the trials' numbers.
        objective: its name.
        less: whether less of it is better.
    """

    def draw(axes: Axes) -> None:
        axes.grid(visible=False, axis="x")
        whole = [(one.x, one.y) for one in points if one.y is not None]
        numbers, values = np.array(whole, float).T
        so_far = (np.minimum if less else np.maximum).accumulate(values)
        last = points[-1].x
        axes.step(
            [*numbers, last], [*so_far, so_far[-1]], where="post", color=ACCENT, linewidth=1.2
        )
        _scatter(axes, points)
        axes.set_xlim(0.4, last + 0.6)
        axes.locator_params(axis="x", integer=True, nbins=6)
        axes.locator_params(axis="y", nbins=5)
        axes.set_xlabel("trial")
        axes.set_ylabel(f"{objective} on the test split")

    return drawing(draw, f"{objective}, trial by trial")


def against_figure(
    points: Sequence[Point],
    names: tuple[str, str],
    logarithmic: bool = False,
    listed: Sequence[str] | None = None,
) -> str:
    """The objective against the value of a key.

    Args:
        points: by that value, or by its place in a list.
        names: of the key and of the objective.
        logarithmic: how the values are laid out.
        listed: the values, for places in a list.
    """

    def draw(axes: Axes) -> None:
        axes.grid(visible=False, axis="x")
        if logarithmic:
            axes.set_xscale("log")
        if listed is not None:
            _lay_out(axes, points, listed)
        _scatter(axes, points if listed is None else _beside(points))
        if logarithmic:
            # As people write it: the usual powers of ten are formulas.
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.xaxis.set_minor_formatter(lambda value, _: "")
        elif listed is None:
            axes.locator_params(axis="x", nbins=5)
        axes.locator_params(axis="y", nbins=5)
        axes.set_xlabel(names[0])
        axes.set_ylabel(f"{names[1]} on the test split")

    return drawing(draw, f"{names[1]} against {names[0]}")


def _scatter(axes: Axes, points: Sequence[Point]) -> None:
    whole = [(one.x, one.y) for one in points if one.y is not None and not one.best]
    axes.plot(*np.array(whole, float).reshape(-1, 2).T, "o", color=INK, markersize=3.5, alpha=0.7)
    axes.plot(*_only(points, best=True), "o", color=ACCENT, markersize=6)
    lost = [one.x for one in points if one.y is None]
    # At the foot of the figure, whatever the objective's scale is.
    axes.plot(
        lost,
        [0.03] * len(lost),
        "x",
        color=MUTED,
        markersize=4.5,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
    )
    low, high = axes.get_ylim()
    if lost:
        axes.set_ylim(low - 0.1 * (high - low), high)


def _beside(points: Sequence[Point]) -> list[Point]:
    """Those of one value a little apart, so that none hides another."""
    return [one._replace(x=one.x + 0.07 * (place % 5 - 2)) for place, one in enumerate(points)]


def _only(points: Sequence[Point], best: bool) -> tuple[list[float], list[float]]:
    found = [(one.x, one.y) for one in points if one.best == best and one.y is not None]
    return [x for x, _ in found], [y for _, y in found]


def _lay_out(axes: Axes, points: Sequence[Point], listed: Sequence[str]) -> None:
    """A place for each value, with the mean of its trials."""
    cut = [each if len(each) <= _LONGEST else each[: _LONGEST - 1] + "…" for each in listed]
    slanted = sum(map(len, cut)) > _ROOM
    axes.set_xticks(
        range(len(cut)), cut, rotation=30 if slanted else 0, ha="right" if slanted else "center"
    )
    axes.set_xlim(-0.6, len(cut) - 0.4)
    for place in range(len(listed)):
        values = [one.y for one in points if one.x == place and one.y is not None]
        if values:
            mean = float(np.mean(values))
            axes.plot((place - 0.25, place + 0.25), (mean, mean), color=MUTED, linewidth=1.2)
