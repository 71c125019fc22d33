"""The figures of a comparison that are about workers: each of them, and how many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from distkeras.report.comparison_figures import line_of
from distkeras.report.curves import Trace
from distkeras.report.figures import short
from distkeras.report.svg import CARD, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Point", "numbers_figure", "workers_figure"]

# Of so many lines each is drawn thinner, or they hide each other.
_MANY = 12


class Point(NamedTuple):
    """A measure of a training with so many workers.

    Attributes:
        workers: how many.
        value: the measure.
        simulated: whether they were virtual.
    """

    workers: int
    value: float
    simulated: bool


def workers_figure(traces: Mapping[int, Sequence[Trace]], label: str, virtual: bool) -> str:
    """Something of each worker against time.

    Args:
        traces: by the number of the variant, which has its colour.
        label: what is measured, with its unit.
        virtual: whether the seconds are those of a simulation.
    """
    lines = sum(map(len, traces.values()))
    width = 1.2 if lines <= _MANY else 0.7

    def draw(axes: Axes) -> None:
        axes.grid(visible=False, axis="x")
        for number, each in traces.items():
            for one in each:
                axes.plot(one.seconds, one.values, linewidth=width, **line_of(number))
        last = max(one.seconds[-1] for each in traces.values() for one in each)
        axes.set_xlim(0, last * 1.02 or 1)
        axes.margins(y=0.08)
        axes.set_ylim(bottom=0)
        axes.locator_params(axis="both", nbins=5)
        axes.set(xlabel="virtual " * virtual + "seconds since the first window", ylabel=label)

    return drawing(draw, f"{label}, worker by worker{', simulated' * virtual}")


def numbers_figure(families: Mapping[int, Sequence[Point]], label: str, zero: bool) -> str:
    """A measure against the number of workers; hollow where they are simulated.

    Args:
        families: of variants that differ in it, by the number of their colour; each ascending.
        label: what is measured, with its unit.
        zero: whether the axis begins at 0.
    """
    numbers = sorted({point.workers for each in families.values() for point in each})

    def draw(axes: Axes) -> None:
        axes.grid(visible=False, axis="x")
        for number, points in families.items():
            line = line_of(number)
            places, values = zip(*(point[:2] for point in points), strict=True)
            axes.plot(places, values, linewidth=1.5, **line)
            for point in points:
                inside = CARD if point.simulated else line["color"]
                dot = {"marker": "o", "markersize": 5, "color": line["color"], "mfc": inside}
                axes.plot(*point[:2], clip_on=False, **dot)
        axes.set_xscale("log", base=2)
        axes.set_xticks(numbers, list(map(str, numbers)))
        axes.minorticks_off()
        axes.margins(x=0.06)
        if zero:
            axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(
            lambda value, _: short(value) if value >= 1e4 else f"{value:g}"
        )
        axes.locator_params(axis="y", nbins=5)
        axes.set(xlabel="workers", ylabel=label)

    return drawing(draw, f"{label} against the number of workers")
