"""Which results nobody refers to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from distkeras.errors import StorageError
from distkeras.storage import Place, abandoned, files_below, locate, read_json, spark_url
from tasks.inventory import FAMILIES, Result, names, results
from tasks.plan import steps
from tasks.target import MANIFEST

__all__ = ["Useless", "useless"]


@dataclass(frozen=True)
class Useless:
    """Something that may go.

    Attributes:
        place: a directory.
        about: what it is, for people.
    """

    place: Place
    about: str

    @property
    def size(self) -> int:
        """Bytes, as far as they can be counted: what cannot be read can still be removed."""
        try:
            return sum(found.entry.size for found in files_below(self.place))
        except StorageError:
            return 0


def useless(configs: Sequence[str], overrides: Sequence[str], others: bool) -> Iterator[Useless]:
    """What is below the configs' directories of results and serves none of them.

    Args:
        configs: the TOML files of experiments.
        overrides: as ``--set`` has them, for all of these.
        others: whether what was made by other configs counts as useless, too.

    Raises:
        DistkerasError: a config is wrong, or a file system does not answer.
    """
    found = [step.task for config in configs for step in steps(config, overrides)]
    roots = {spark_url(task.experiment.output): task.experiment.output for task in found}
    ours = None if others else {os.path.abspath(config) for config in configs}
    for root in roots.values():
        yield from _below(root, {task.key for task in found}, ours)


def _below(root: str, keys: set[str], ours: set[str] | None) -> Iterator[Useless]:
    there = [result for family in FAMILIES for result in results(root, family)]
    foreign = {one.key for one in there if ours is not None and _maker(one) not in ours}
    staying = _with_upstream(there, keys | foreign)
    yield from (Useless(one.place, _described(one)) for one in there if one.key not in staying)
    for family in FAMILIES:
        yield from _leftovers(locate(root) / family, staying, checkpoints=ours is None)


def _maker(result: Result) -> str:
    return os.path.abspath(str(result.about.get("config_file")))


def _leftovers(folder: Place, staying: set[str], checkpoints: bool) -> Iterator[Useless]:
    """What runs that did not end have left, but what one may still be writing or going on from.

    Args:
        folder: of one task.
        staying: the keys of what is needed.
        checkpoints: whether checkpoints, submissions, and reports that lack a variant, count.
            Nothing in them says which config they are of.
    """
    there = names(folder)
    gone = {name for name in there if abandoned(name)}
    written = {name[1:].split(".staging-")[0] for name in there if ".staging-" in name}
    for name in there:
        key, _, ending = name.removeprefix(".").partition(".")
        stale = ending in ("checkpoints", "job", "partial") and key not in staying | written
        ended = ending == "job" and key in there  # The submission of a result that has come.
        if name in gone or ended or (checkpoints and stale):
            yield Useless(folder / name, "left by a run that did not end")


def _with_upstream(there: Sequence[Result], keys: set[str]) -> set[str]:
    """The keys, and those of all results from which they were made."""
    before = {one.key: list(_upstream(one)) for one in there}
    found, waiting = set(keys), list(keys)
    while waiting:
        new = [key for key in before.get(waiting.pop(), []) if key not in found]
        found.update(new)
        waiting += new
    return found


def _upstream(result: Result) -> Iterator[str]:
    parts = result.about["depends_on"]
    yield from (parts.get("upstream") or {}).values()
    yield from (key for _, key in parts.get("variants") or [])
    if result.family == "Sweep":
        # Which they would be was not known before they had run.
        for trial in read_json(result.place / MANIFEST).get("trials") or []:
            yield from (trial["trial"], trial["evaluate"])


def _described(result: Result) -> str:
    given = [f"--set {each}" for each in result.about.get("overrides") or []]
    finished = str(result.about.get("finished")).replace("T", " ").replace("+00:00", " UTC")
    return "  ".join([finished, " ".join([str(result.about.get("config_file")), *given])])
