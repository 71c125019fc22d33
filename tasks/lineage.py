"""Why a task's result is not there: what differs from one that is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tasks.base import ExperimentTask
from tasks.compare import Compare
from tasks.inventory import results
from tasks.sweep.sweep import Sweep

__all__ = ["reason"]

_LONGEST = 60
_RUNS, _OTHER = "would run", "has another result"
_ABSENT = object()


def reason(task: ExperimentTask) -> str:
    """What has changed against the most similar result of the same task, the newest of several.

    Not against the newest of all: in a comparison that is another variant.

    Args:
        task: not complete.
    """
    there = list(results(task.experiment.output, task.task_family))
    there.sort(key=lambda one: str(one.about.get("finished")), reverse=True)
    if not there:
        return "there is none yet"
    compared = [(list(_differences(task, one.about["depends_on"])), one) for one in there]
    found, nearest = min(compared, key=lambda each: len(each[0]))
    if found and all(each.endswith(_RUNS) for each in found):
        return ", ".join(found)
    return f"{', '.join(found) or 'made by another version'} (against {nearest.key})"


def _differences(task: ExperimentTask, before: Mapping[str, Any]) -> Iterator[str]:
    now = task.parts
    if now["code"] != before.get("code"):
        yield f"the task's code: version {before.get('code')} -> {now['code']}"
    if now.get("model") != before.get("model"):
        yield "the model's source file has changed"
    section = task.task_family.lower()
    yield from _leaves(section, before.get("config"), now.get("config"))
    for name in _changed(before.get("inputs"), now.get("inputs")):
        yield f"the input {name} has changed"
    for name in _changed(before.get("upstream"), now.get("upstream")):
        yield f"{name.capitalize()} {_OTHER if task.requires()[name].complete() else _RUNS}"
    if isinstance(task, Compare):
        yield from _variants(task, before.get("variants"))
    yield from _leaves("compare.target", before.get("target"), now.get("target"))
    if isinstance(task, Sweep):
        yield from _searched(task, before)


def _leaves(key: str, before: Any, now: Any) -> Iterator[str]:
    """The keys with another value, and both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted({*before, *now}):
            yield from _leaves(f"{key}.{name}", before.get(name, _ABSENT), now.get(name, _ABSENT))
    elif before != now:
        yield f"{key}: {_shown(before)} -> {_shown(now)}"


def _shown(value: Any) -> str:
    if value is _ABSENT or value is None:
        return "none"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _changed(before: Any, now: Any) -> list[str]:
    old, new = before or {}, now or {}
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def _searched(task: Sweep, before: Mapping[str, Any]) -> Iterator[str]:
    if (
        before.get("config") == task.parts["config"]
        and before.get("corners") != task.parts["corners"]
    ):
        yield "what it varies has changed"


def _variants(task: Compare, before: Any) -> Iterator[str]:
    old = dict(before or [])
    for name, evaluation in task.evaluations.items():
        if name not in old:
            yield f"variant {name!r} is new"
        elif old[name] != evaluation.key:
            yield f"variant {name!r} {_OTHER if evaluation.complete() else _RUNS}"
    yield from (f"variant {name!r} is gone" for name in old if name not in task.evaluations)
    if list(old) != list(task.evaluations) and set(old) == set(task.evaluations):
        yield "another order"
