"""What made a model: configuration, seeds, rows, versions and durations, from the manifests.

A manifest is what a task wrote about itself. Nothing in it is required: what is absent is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import numpy as np
import pyarrow as pa

from distkeras.report.markup import NONE, definitions, nested, number, plain, seconds

__all__ = ["durations", "everything", "facts", "part"]

# Seconds; what took less is not worth a line.
_SHORT = 0.05

Manifests = Mapping[str, Mapping[str, Any]]


def part(value: Any, *path: str) -> Any:
    """What lies at a path of keys; None where it ends early."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def facts(manifests: Manifests, history: pa.Table) -> str:
    """The configuration at a glance, as HTML."""
    train = manifests.get("train", {})
    config = part(train, "config") or {}
    found = [
        ("Trainer", _trainer(config)),
        ("Optimizer", _named(config.get("worker_optimizer"))),
        ("Loss", _named(config.get("loss"))),
        ("Model", _model(config.get("model"), train.get("parameters"))),
        ("Rows", _rows(train)),
        ("Exchanges", _exchanges(history)),
        ("Seeds", _seeds(manifests)),
        ("Config", _config_file(manifests)),
        ("Finished", _time(part(train, "task", "finished"))),
        ("Versions", _versions(manifests)),
    ]
    return definitions((name, text) for name, text in found if text and text != NONE)


def durations(manifests: Manifests) -> str:
    """Where the time went, as bars; nothing if no manifest says."""
    rows = [row for name, manifest in manifests.items() for row in _phases(name, manifest)]
    if not rows:
        return ""
    longest = max((spent for _, spent, total in rows if not total), default=0.0) or 1.0
    whole = sum(spent for _, spent, total in rows if total)
    items = [
        _bar(name, spent, 0 if total else spent / longest, total) for name, spent, total in rows
    ]
    return f'<dl class="bars">{"".join(items)}{_bar("all", whole, 0, True)}</dl>'


def everything(manifests: Manifests) -> str:
    """Every manifest whole, folded."""
    return "".join(
        f"<details><summary>Everything that {escape(name)} wrote down</summary>"
        f"{nested(manifest)}</details>"
        for name, manifest in manifests.items()
        if manifest
    )


def _trainer(config: Mapping[str, Any]) -> str:
    counts = (
        ("num_workers", "worker", "workers"),
        ("num_epoch", "epoch", "epochs"),
        ("batch_size", "row a batch", "rows a batch"),
        ("communication_window", "batch a window", "batches a window"),
    )
    said = [plain(config["trainer"])] if config.get("trainer") else []
    for key, one, many in counts:
        if isinstance(config.get(key), int):
            said.append(f"{config[key]:,} {one if config[key] == 1 else many}")
    for key in ("rho", "learning_rate"):
        if config.get(key) is not None:
            said.append(f"{key} {plain(config[key])}")
    return ", ".join(said)


def _named(value: Any) -> str:
    """A name, and its arguments in brackets."""
    if not isinstance(value, Mapping):
        return plain(value)
    rest = ", ".join(
        f"{escape(str(key))} {plain(each)}" for key, each in value.items() if key != "name"
    )
    return f"{plain(value.get('name'))} ({rest})" if rest else plain(value.get("name"))


def _model(value: Any, parameters: Any) -> str:
    said = []
    if isinstance(value, Mapping):
        given = value.get("arguments") or {}
        arguments = ", ".join(
            f"{escape(str(key))}={escape(json.dumps(each))}" for key, each in given.items()
        )
        said.append(plain(value.get("function") or value.get("file")))
        said[0] += f"({arguments})" if arguments else ""
    if isinstance(parameters, int):
        said.append(f"{parameters:,} parameters")
    return ", ".join(said)


def _rows(train: Mapping[str, Any]) -> str:
    rows, merged = train.get("rows"), train.get("rows_merged")
    if not isinstance(rows, int) or not isinstance(merged, int):
        return ""
    return f"{rows:,} for training, {merged:,} merged in all epochs"


def _exchanges(history: pa.Table) -> str:
    if not history.num_rows:
        return ""
    waited = float(np.nansum(history["exchange_wait"].to_numpy()))
    stale = float(np.mean(history["staleness"].to_numpy()))
    return (
        f"{history.num_rows:,}; each {number(stale, 3)} updates stale on average, "
        f"{number(1000 * waited / history.num_rows, 3)} ms of waiting"
    )


def _seeds(manifests: Manifests) -> str:
    found = [
        ("training", part(manifests.get("train"), "config", "seed")),
        ("split", part(manifests.get("preprocess"), "spec", "split", "seed")),
    ]
    return ", ".join(f"{name} {plain(seed)}" for name, seed in found if seed is not None)


def _config_file(manifests: Manifests) -> str:
    task = part(manifests.get("train"), "task") or {}
    given = task.get("overrides") or []
    return " ".join(
        [plain(task.get("config_file")), *(f"<code>--set {plain(each)}</code>" for each in given)]
    )


def _time(value: Any) -> str:
    """An ISO time as people write it."""
    return plain(value).replace("T", " ").replace("+00:00", " UTC")


def _versions(manifests: Manifests) -> str:
    found: dict[str, Any] = {}
    for manifest in manifests.values():
        found |= part(manifest, "task", "versions") or {}
    return ", ".join(f"{escape(name)} {plain(version)}" for name, version in found.items())


def _phases(name: str, manifest: Mapping[str, Any]) -> Iterator[tuple[str, float, bool]]:
    """(name, seconds, whether it is the task's total)."""
    spent, phases = part(manifest, "task", "seconds"), part(manifest, "task", "phases")
    if not isinstance(spent, int | float):
        return
    yield name, spent, True
    known = {key: float(each) for key, each in (phases or {}).items() if each >= _SHORT}
    yield from ((key, each, False) for key, each in known.items())
    if known and (rest := spent - sum(known.values())) >= _SHORT:
        yield "other", rest, False


def _bar(name: str, spent: float, share: float, total: bool) -> str:
    return (
        f'<div class="{"task" if total else "phase"}"><dt>{escape(name)}</dt>'
        f'<dd class="bar" style="width:{share:.1%}"></dd>'
        f'<dd class="value">{seconds(spent)}</dd></div>'
    )
