"""How far the rows of a day are from those before them: arithmetic on counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["ColumnProfile", "Profile", "drifts", "psi"]

#: Rows that every bin is taken to have more than it has, so that an empty one gives no infinity.
_HALF = 0.5


@dataclass(frozen=True)
class ColumnProfile:
    """One column of some rows.

    Attributes:
        missing: rows without a value.
        counts: rows with a value, by bin or category; both profiles of a pair have the same ones,
            in the same order.
        new: rows with a category that the reference does not have; 0 for numbers.
    """

    missing: int
    counts: tuple[int, ...]
    new: int = 0


@dataclass(frozen=True)
class Profile:
    """Some rows, column by column.

    Attributes:
        rows: how many.
        columns: by name.
    """

    rows: int
    columns: Mapping[str, ColumnProfile] = field(default_factory=dict)

    def missing_share(self, name: str) -> float:
        """Of a column, from 0 to 1."""
        return self.columns[name].missing / self.rows if self.rows else 0.0

    def new_share(self, name: str) -> float:
        """Rows with a category that the reference does not have, from 0 to 1."""
        return self.columns[name].new / self.rows if self.rows else 0.0

    def to_json(self) -> dict[str, Any]:
        """What a manifest keeps of it."""
        columns = {
            name: {"missing": one.missing, "new": one.new, "counts": list(one.counts)}
            for name, one in self.columns.items()
        }
        return {"rows": self.rows, "columns": columns}


def psi(expected: Sequence[int], found: Sequence[int]) -> float:
    """The population stability index of two samples, counted into the same bins.

    ``sum over the bins of (q - p) ln(q / p)``: p is the share of the expected sample in the bin, q
    that of the found one. It is 0 for the same shares, and symmetric. By custom below 0.1 nothing
    has changed, and above 0.25 much has.

    By chance alone two samples of n and m rows over b bins give (b - 1) (1/n + 1/m) on average, so
    a limit below a few times that says nothing.

    Source: Lewis, "An Introduction to Credit Scoring" (1994); the mean by chance: Yurdakul,
    "Statistical Properties of Population Stability Index" (2018). It is the Jeffreys divergence,
    KL(p, q) + KL(q, p).

    Differs from it: each bin is counted with half a row more, because an empty one would give
    infinity.

    Args:
        expected: rows in each bin.
        found: the same bins.

    Returns:
        0 where one of the samples is empty, or there is one bin.
    """
    if not sum(expected) or not sum(found):
        return 0.0
    p = np.asarray(expected, float) + _HALF
    q = np.asarray(found, float) + _HALF
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def drifts(reference: Profile, day: Profile) -> dict[str, float]:
    """The index of each column; of categories those that the reference does not have are a bin."""
    return {
        name: psi(_bins(reference.columns[name], one), _bins(one, one))
        for name, one in day.columns.items()
        if name in reference.columns
    }


def _bins(column: ColumnProfile, found: ColumnProfile) -> tuple[int, ...]:
    return (*column.counts, column.new) if found.new else column.counts
