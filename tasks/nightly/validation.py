"""Whether a day's rows can be trusted: its profile against that of the window before it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from distkeras.preprocessing.drift import Profile
from tasks.nightly.spec import NightlySpec

__all__ = ["complaints"]


def complaints(
    day: Profile,
    window: Profile,
    days: int,
    drift: Mapping[str, float],
    spec: NightlySpec,
    classes: str | None,
) -> list[str]:
    """What is wrong with a day, one line each; none for a good one.

    Args:
        day: its profile.
        window: that of the accepted days before it.
        days: how many those are; without any, a day only has to have rows.
        drift: the population stability index of each column.
        spec: the limits.
        classes: the label's column, if it holds classes.
    """
    if not day.rows:
        return ["it has no rows"]
    return list(_against_window(day, window, days, drift, spec, classes)) if days else []


def _against_window(
    day: Profile,
    window: Profile,
    days: int,
    drift: Mapping[str, float],
    spec: NightlySpec,
    classes: str | None,
) -> Iterator[str]:
    usual = window.rows / days
    if not spec.rows_at_least * usual <= day.rows <= spec.rows_at_most * usual:
        yield (
            f"{day.rows:,} rows, the window has {usual:,.0f} a day: "
            f"{spec.rows_at_least:g} to {spec.rows_at_most:g} of that are allowed"
        )
    for name in day.columns:
        yield from _column(name, day, window, spec, name == classes)
        if drift.get(name, 0.0) >= spec.psi_limit(name):
            yield (
                f"{name}: a population stability index of {drift[name]:.2f} against the window, "
                f"the limit is {spec.psi_limit(name):g}"
            )


def _column(
    name: str, day: Profile, window: Profile, spec: NightlySpec, classes: bool
) -> Iterator[str]:
    missing, before = day.missing_share(name), window.missing_share(name)
    if missing > before + spec.missing_more:
        yield f"{name}: {missing:.1%} missing, {before:.1%} in the window"
    new = day.columns[name].new
    if classes and new:
        yield f"{name}: {new:,} rows of classes that the window does not have"
    elif day.new_share(name) > spec.new_categories and spec.psi_limit(name) < math.inf:
        yield (
            f"{name}: {day.new_share(name):.1%} of the rows have a category that the window does "
            f"not have, {spec.new_categories:.1%} may"
        )
