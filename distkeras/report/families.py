"""Variants that differ in the number of their workers, put together: arithmetic only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np

from distkeras.report.standings import Competitor, Rows

__all__ = ["Family", "Member", "families"]

# What goes with the number of workers, and so does not set variants apart here: beside the number
# whether there are any, and the elastic force that suits it.
_WITH_IT = {"num_workers", "simulated", "rho"}


class Member(NamedTuple):
    """A variant of a family.

    Attributes:
        workers: how many it has.
        simulated: whether they are virtual.
        row: its row of the table, as ``standings.measured`` gives it.
    """

    workers: int
    simulated: bool
    row: Mapping[str, float | None]


class Family(NamedTuple):
    """Variants with several numbers of workers, and otherwise alike.

    Attributes:
        name: what the reader calls them.
        members: ascending by workers; the real ones first.
    """

    name: str
    members: list[Member]


def families(competitors: Sequence[Competitor], rows: Rows) -> list[Family]:
    """The families that there are, each of at least two numbers of workers.

    Args:
        competitors: in the order of the table.
        rows: from ``standings.measured``.
    """
    groups: dict[str, list[int]] = {}
    for each, one in enumerate(competitors):
        if one.history is not None and one.history.num_rows and one.trained.get("config"):
            groups.setdefault(_alike(one), []).append(each)
    found = []
    for group in groups.values():
        members = [_member(competitors[each], rows[each]) for each in group]
        if len({member.workers for member in members}) > 1:
            members.sort(key=lambda member: member[:2])
            found.append((group, members))
    names = _names([[competitors[each] for each in group] for group, _ in found])
    return [Family(name, members) for name, (_, members) in zip(names, found, strict=True)]


def _alike(one: Competitor) -> str:
    """What all of a family have in common."""
    task = one.trained.get("task") or {}
    data = ((task.get("depends_on") or {}).get("upstream") or {}).get("preprocess")
    config = {key: value for key, value in one.trained["config"].items() if key not in _WITH_IT}
    return json.dumps([data, config], sort_keys=True)


def _member(one: Competitor, row: Mapping[str, float | None]) -> Member:
    assert one.history is not None
    workers = len(np.unique(one.history["worker"].to_numpy()))
    return Member(workers, bool(one.simulated), row)


def _names(groups: Sequence[Sequence[Competitor]]) -> list[str]:
    """The trainers' names where they differ, else what the variants' names begin with."""
    trainers = [str(_config(group[0]).get("trainer") or "") for group in groups]
    if all(trainers) and len(set(trainers)) == len(trainers):
        return trainers
    return [_start([one.name for one in group]) or group[0].name for group in groups]


def _start(names: Sequence[str]) -> str:
    """What all names begin with."""
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in same).rstrip(" ,;:=(")


def _config(one: Competitor) -> Mapping[str, Any]:
    found: Mapping[str, Any] = one.trained["config"]
    return found
