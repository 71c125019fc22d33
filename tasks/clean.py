"""Removing results that nobody refers to."""

from __future__ import annotations

import sys

import luigi

from distkeras.errors import ConfigError
from distkeras.storage import withdraw
from tasks.garbage import useless
from tasks.parameters import RepeatedParameter
from tasks.settings.sections import apply_sections

__all__ = ["Clean"]


class Clean(luigi.Task):  # type: ignore[misc]
    """Removes results to which none of the given configs refers, after asking.

    A result goes if one of the given configs made it, none of them refers to it (by itself, by its
    ``[compare]`` or by its ``[sweep]``), and nothing that stays was made from it. Results of
    configs that are not given stay; with ``others`` they go, too. Beside results only what a task
    of a process that is gone was writing is removed and, with ``others``, checkpoints and reports
    of what no config refers to. Nothing else is touched: no other folder or file, nothing behind a
    link.

    Raises:
        DistkerasError: one line that names the file, key, or path.
    """

    config = RepeatedParameter(description="An experiment's TOML file; may be repeated.")
    set = RepeatedParameter(default=(), description="As for Evaluate, for all of the configs.")
    others = luigi.BoolParameter(
        default=False, description="Also remove results of configs that are not given."
    )
    yes = luigi.BoolParameter(default=False, description="Do not ask.")

    def complete(self) -> bool:
        """Never: it has no result."""
        return False

    def run(self) -> None:
        """Lists, asks, and removes."""
        apply_sections()
        found = list(useless(self.config, self.set, self.others))
        if not found:
            print("Nothing to remove.")
            return
        sizes = [each.size for each in found]
        for each, size in zip(found, sizes, strict=True):
            print(f"{_size(size):>9}  {each.place}  {each.about}")
        print(f"{_size(sum(sizes)):>9}  {len(found)} in all")
        if not (self.yes or _agreed()):
            print("Nothing was removed.")
            return
        for each in found:
            withdraw(each.place)
        print(f"{len(found)} removed.")


def _size(count: int) -> str:
    for unit, letters in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {letters}"
    return f"{count} B"


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise ConfigError("Clean asks before it removes, and there is no terminal: give --yes")
    print("Remove them? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
