"""The figures of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from distkeras.report.curves import Curve
from distkeras.report.svg import ACCENT, INK, MUTED, ON_ACCENT, SIZE, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["confusion_figure", "convergence_figure", "error_figure", "roc_figure", "short"]

# Cells with numbers up to here, above it colours alone.
_MOST_NUMBERS = 12
_MOST_NAMES = 16
# Letters that fit below the matrix, all names together.
_ROOM = 32


def convergence_figure(curve: Curve, epochs: int) -> str:
    """A measure of the training against the samples merged.

    Args:
        curve: from ``curves.convergence``.
        epochs: passes over the training rows.
    """

    def draw(axes: Axes) -> None:
        axes.grid(visible=False, axis="x")
        for line in curve.workers:
            axes.plot(line.samples, line.values, color=ACCENT, alpha=0.28, linewidth=0.7)
        mean = curve.mean
        axes.plot(mean.samples, mean.values, color=ACCENT, linewidth=1.8)
        axes.plot(mean.samples[-1:], mean.values[-1:], "o", color=ACCENT, markersize=4)
        axes.annotate(
            f"{mean.values[-1]:.3g}",
            (mean.samples[-1], mean.values[-1]),
            (5, 0),
            textcoords="offset points",
            va="center",
            weight="bold",
            annotation_clip=False,
        )
        axes.set_ylim(*_limits(curve))
        axes.set_xlim(0, mean.samples[-1] * 1.02)
        axes.xaxis.set_major_formatter(lambda value, _: short(value))
        axes.locator_params(axis="both", nbins=5)
        axes.set_xlabel(f"samples merged ({epochs} epoch{'s' * (epochs != 1)})")
        axes.set_ylabel(curve.name)

    return drawing(draw, f"{curve.name} against the samples merged")


def confusion_figure(confusion: Sequence[Sequence[int]], classes: Sequence[Any]) -> str:
    """The confusion matrix; a cell is the darker, the larger its share of its true class.

    Args:
        confusion: rows by true class, in each by predicted class.
        classes: their names.
    """
    counts = np.array(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = len(counts)
    names = [_cut(name) for name in classes]
    long = len(names[:_MOST_NAMES]) * max(map(len, names)) > _ROOM

    def draw(axes: Axes) -> None:
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        for true, predicted in np.ndindex(size, size):
            _cell(
                axes,
                true,
                predicted,
                float(shares[true, predicted]),
                int(counts[true, predicted]),
                size,
            )
        axes.set(xlim=(0, size), ylim=(size, 0), xlabel="predicted class", ylabel="true class")
        axes.tick_params(length=0)
        step = -(-size // _MOST_NAMES)
        places, shown = np.arange(0, size, step) + 0.5, names[::step]
        axes.set_xticks(places, shown)
        axes.set_yticks(places, shown)
        if long:
            axes.tick_params(axis="x", labelrotation=45)
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")

    return drawing(draw, "confusion matrix", SIZE if size <= 4 and not long else (3.2, 3.1))


def roc_figure(false: Sequence[float], true: Sequence[float], area: float) -> str:
    """The receiver operating characteristic of a classifier of two classes.

    Args:
        false: false positive rates, rising.
        true: true positive rates.
        area: under the curve.
    """

    def draw(axes: Axes) -> None:
        axes.fill_between(false, true, color=ACCENT, alpha=0.1, linewidth=0)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
        axes.plot(false, true, color=ACCENT, linewidth=1.8)
        axes.text(0.97, 0.06, f"area {area:.3f}", ha="right", weight="bold")
        axes.text(0.56, 0.5, "guessing", color=MUTED, va="top")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
        axes.set(xlabel="false positive rate", ylabel="true positive rate")
        axes.locator_params(axis="both", nbins=5)

    return drawing(draw, f"ROC curve, area {area:.3f}")


def error_figure(quantiles: Sequence[float]) -> str:
    """The distribution of a regression's errors.

    Args:
        quantiles: prediction - label at 0 %, 1 %, ... 100 % of the rows, in the label's unit.
    """
    shares = np.linspace(0, 100, len(quantiles))

    def draw(axes: Axes) -> None:
        axes.axvline(0, color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
        axes.plot(quantiles, shares, color=ACCENT, linewidth=1.8)
        # The outermost percents would squeeze all others.
        low, high = quantiles[1], quantiles[-2]
        if high > low:
            axes.set_xlim(min(low, 0) - 0.05 * (high - low), max(high, 0) + 0.05 * (high - low))
        axes.set(ylim=(-2, 102), xlabel="prediction - label (unit of the label)")
        axes.set_ylabel("rows with a smaller error, %")
        axes.locator_params(axis="x", nbins=5)

    return drawing(draw, "distribution of the errors")


def _cell(axes: Axes, true: int, predicted: int, share: float, count: int, size: int) -> None:
    from matplotlib.patches import Rectangle

    gap = 0.02 if size <= _MOST_NUMBERS else 0
    place = (predicted + gap, true + gap)
    opacity = 0.06 + 0.94 * share
    axes.add_patch(
        Rectangle(place, 1 - 2 * gap, 1 - 2 * gap, color=ACCENT, alpha=opacity, linewidth=0)
    )
    if size > _MOST_NUMBERS:
        return
    color = ON_ACCENT if opacity > 0.5 else INK
    text: dict[str, Any] = {"ha": "center", "va": "center", "color": color}
    middle = (predicted + 0.5, true + 0.5)
    if size > 4:
        axes.text(*middle, short(count), fontsize=7 if size <= 8 else 5.5, **text)
        return
    axes.text(
        middle[0],
        middle[1] - 0.08,
        f"{count:,}",
        fontsize=11 if size == 2 else 8.5,
        weight="bold",
        **text,
    )
    axes.text(
        middle[0],
        middle[1] + (0.2 if size == 2 else 0.22),
        f"{share:.1%}",
        fontsize=7.5 if size == 2 else 6.5,
        **text,
    )


def _limits(curve: Curve) -> tuple[float, float]:
    """The span of the lines without single wild windows."""
    lines = [curve.mean.values, *(line.values for line in curve.workers)]
    values = np.concatenate(lines)
    low, high = np.percentile(values, [0.5, 99.5])
    low, high = min(low, curve.mean.values.min()), max(high, curve.mean.values.max())
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin


def short(value: float) -> str:
    """A number of rows or samples for an axis or a cell: 1.5M."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            scale = 1e3 if letter == "k" else unit
            return f"{value / scale:.3g}{letter}"
    return f"{value:,.0f}"


def _cut(name: Any) -> str:
    text = str(name)
    return text if len(text) <= 12 else text[:11] + "…"
