"""Where a benchmark's figures go, and on what they were measured."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Processor, cores, memory and versions."""
    processor = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    packages = ("keras", "numpy", "pyarrow", "pyspark", "tensorflow", "tensorflow-cpu")
    names = (one.metadata["Name"] for one in metadata.distributions())
    installed = {name.lower().replace("_", "-") for name in names}
    return {
        "processor": processor[0] if processor else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages / 2**30, 1),
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in packages if name in installed},
    }


def write(name: str, figures: dict[str, Any]) -> None:
    """Writes ``results/<name>.json``."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine(), **figures}, indent=2, sort_keys=True)
    (RESULTS / f"{name}.json").write_text(text + "\n")


def measured_or_kept(
    name: str,
    parser: argparse.ArgumentParser,
    short: dict[str, Any],
    measure: Callable[[argparse.Namespace], dict[str, Any]],
) -> dict[str, Any]:
    """The figures: of a new measurement, which is kept, or with ``--show`` those kept last.

    Args:
        name: of the result file with ``--full``; else ``_short`` is put behind it.
        parser: whose defaults are those of the published figures.
        short: the defaults of the short form.
        measure: makes the figures.
    """
    parser.add_argument("--full", action="store_true", help="the sizes of the published figures")
    parser.add_argument("--show", action="store_true", help="only print the published figures")
    if not parser.parse_known_args()[0].full:
        parser.set_defaults(**short)
    asked = parser.parse_args()
    if asked.show:
        kept: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
        return kept
    figures = measure(asked)
    write(name if asked.full else f"{name}_short", figures)
    return figures
