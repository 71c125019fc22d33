"""The figures of the page of all nights: something against the date."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from distkeras.report.figures import short
from distkeras.report.svg import ACCENT, SERIES, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Series", "bars_figure", "lines_figure"]

_WIDEST = 0.8
# About so many steps from the first to the last date.
_TICKS = 4


class Series(NamedTuple):
    """One line.

    Attributes:
        dates: in ascending order; where nights lie between two of them, the line is interrupted.
        values: one for each.
        color: number of its colour.
        above: whether it is drawn over the others.
    """

    dates: Sequence[datetime.date]
    values: Sequence[float]
    color: int
    above: bool = False


def lines_figure(lines: Sequence[Series], label: str, title: str) -> str:
    """Several measures, night by night.

    Args:
        lines: at least one.
        label: of the values.
        title: what screen readers say.
    """

    def draw(axes: Axes) -> None:
        axes.grid(visible=False, axis="x")
        for one in lines:
            color, above = SERIES[one.color % len(SERIES)], 4 if one.above else 3
            for dates, values in _stretches(one):
                line = axes.plot(_places(dates), values, color=color, linewidth=1.3, zorder=above)
                line[0].set(marker="o", markersize=1.8)
        _date_axis(axes, [date for one in lines for date in one.dates])
        axes.locator_params(axis="y", nbins=5)
        axes.set_ylabel(label)

    return drawing(draw, title)


def bars_figure(
    dates: Sequence[datetime.date],
    values: Sequence[float],
    label: str,
    marked: Sequence[bool] = (),
) -> str:
    """One amount, night by night.

    Args:
        dates: at least one.
        values: one for each.
        label: of the values, and of the figure.
        marked: which of them stand out.
    """

    def draw(axes: Axes) -> None:
        axes.grid(visible=False, axis="x")
        colors = [SERIES[1] if each else ACCENT for each in marked] or ACCENT
        axes.set_axisbelow(True)
        axes.bar(_places(dates), values, width=_WIDEST, color=colors)
        _date_axis(axes, dates)
        axes.yaxis.set_major_formatter(lambda value, _: short(value))
        axes.locator_params(axis="y", nbins=5)
        axes.set_ylabel(label)

    return drawing(draw, f"{label}, night by night")


def _stretches(one: Series) -> Iterator[tuple[list[datetime.date], list[float]]]:
    """Nights in a row: a line over a gap would show what nobody has measured."""
    dates: list[datetime.date] = []
    values: list[float] = []
    for date, value in zip(one.dates, one.values, strict=True):
        if dates and (date - dates[-1]).days > 1:
            yield dates, values
            dates, values = [], []
        dates.append(date)
        values.append(value)
    yield dates, values


def _places(dates: Sequence[datetime.date]) -> list[int]:
    """Where dates are on the axis: whole days."""
    return [date.toordinal() for date in dates]


def _date_axis(axes: Axes, dates: Sequence[datetime.date]) -> None:
    first, last = min(dates), max(dates)
    axes.set_xlim(first.toordinal() - 1, last.toordinal() + 1)
    step = max(1, -(-(last - first).days // _TICKS))
    ticks = range(first.toordinal(), last.toordinal() + 1, step)
    days = [datetime.date.fromordinal(tick) for tick in ticks]
    axes.set_xticks(ticks, [f"{day.day} {day:%b}" for day in days])
    axes.set_xlabel(f"{first.year}" if first.year == last.year else f"{first.year} to {last.year}")
