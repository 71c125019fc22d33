"""Raw data of the tests, and how a job says what is to be made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

#: Rows of ``write_raw``, and those that train: a quarter of each class, rounded up, tests.
ROWS, TRAIN = 800, 599


def table(path: Path | str, **more: Any) -> dict[str, Any]:
    """A job's ``preprocess`` of the file that ``write_raw`` makes."""
    given = {"sources": {"events": {"path": str(path)}}, "label": {"column": "kind"}}
    return given | {"split": {"test": 0.25, "seed": 3}} | more


def write_raw(path: Path) -> Path:
    """Three numbers, and a class of two that follows from their sum."""
    random = np.random.default_rng(0)
    lines = ["a,b,c,kind"]
    for a, b, c in random.normal(50.0, 10.0, (ROWS, 3)).round(3).tolist():
        lines.append(f"{a},{b},{c},{'high' if a + b + c > 150 else 'low'}")
    path.write_text("\n".join(lines) + "\n")
    return path


def raw_rows(path: Path) -> list[dict[str, Any]]:
    """The rows as a user has them, the class included."""
    names, *lines = (line.split(",") for line in path.read_text().splitlines())
    return [dict(zip(names, (*map(float, cells[:3]), cells[3]), strict=True)) for cells in lines]
