"""Variants of one experiment, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from distkeras.errors import ConfigError
from distkeras.storage import Place, write_json
from tasks.attempts import attempt
from tasks.evaluate import Evaluate
from tasks.parameters import RepeatedParameter
from tasks.progress import Reporter
from tasks.reporting import ReportingTask, competitor, varied
from tasks.variants import Variant, listed_variants, table_variants

if TYPE_CHECKING:
    from distkeras.report import Competitor

__all__ = ["Compare"]


class Compare(ReportingTask):
    """``report.html``, ``report.json`` and ``manifest.json``.

    What it compares are Evaluate tasks, which it runs itself: not as requirements, because luigi
    would not run it if one of those failed. With a failed one it writes what it can into
    ``<key>.partial/``, fails, and tries again the next time.
    """

    code_version = 2
    parts_name = "variants"

    set_list = RepeatedParameter(
        default=(),
        description="In place of [compare]'s variants: 'name: a.b=1; c.d=2' is one, a.b=1,2 an "
        "axis of a grid; may be repeated.",
    )

    def own_parts(self) -> dict[str, Any]:
        """The variants' names and keys, in their order, and the target."""
        keys = [[name, task.key] for name, task in self.evaluations.items()]
        return {"variants": keys, "target": self.experiment.compare.target}

    @cached_property
    def variants(self) -> list[Variant]:
        """What is compared.

        Raises:
            ConfigError: nothing, or two variants with one name.
        """
        listed = listed_variants(self.set_list)
        found = listed or table_variants(self.experiment.compare)
        if not found:
            raise ConfigError("nothing to compare: give [[compare.variants]], or --set-list")
        names = [variant.name for variant in found]
        for name in names:
            if not name or names.count(name) > 1:
                raise ConfigError(f"compare: {names.count(name)} variants have the name {name!r}")
        return found

    @cached_property
    def evaluations(self) -> dict[str, Evaluate]:
        """The task of each variant.

        Raises:
            DistkerasError: a variant is wrong, or the same as another one.
        """
        made: dict[str, Evaluate] = {}
        for variant in self.variants:
            whose = f"compare: variant {variant.name!r}"
            task = varied(self, variant.overrides, whose)
            for name, other in made.items():
                if other.key == task.key:
                    raise ConfigError(
                        f"compare: variant {variant.name!r} gives the same result as {name!r}"
                    )
            made[variant.name] = task
        return made

    @property
    def number(self) -> int:
        """The variants."""
        return len(self.variants)

    def run_others(self) -> Mapping[str, str]:
        """Runs the variants; why those failed that did."""
        return attempt(self.evaluations)

    def produce(self, staging: Place, report: Reporter) -> Mapping[str, Any]:
        """Writes the report of all variants."""
        report.phase("writing the report")
        self.write(staging, {})
        return {
            "variants": {
                variant.name: {"overrides": list(variant.overrides), "evaluate": str(task.output())}
                for variant, task in zip(self.variants, self.evaluations.values(), strict=True)
            },
            "set_list": list(self.set_list),
        }

    def write(self, staging: Place, failures: Mapping[str, str]) -> None:
        """The report of the variants that are there."""
        from distkeras.report import write_comparison

        competitors = [self._competitor(variant, failures) for variant in self.variants]
        target = next(iter(self.experiment.compare.target.items()), None)
        found = write_comparison(staging / "report.html", self.config, competitors, target)
        write_json(staging / "report.json", found)

    def _competitor(self, variant: Variant, failures: Mapping[str, str]) -> Competitor:
        from distkeras.report import Competitor

        if variant.name in failures:
            return Competitor(variant.name, variant.overrides, failed=failures[variant.name])
        return competitor(variant.name, variant.overrides, self.evaluations[variant.name])
