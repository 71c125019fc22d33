"""Variants of one experiment, side by side."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from distkeras.errors import ConfigError, DistkerasError, TrainingError
from distkeras.storage import Place, files_of, locate, publish, read_bytes, read_json, write_json
from tasks.attempts import attempt
from tasks.base import ExperimentTask, interrupted
from tasks.evaluate import Evaluate
from tasks.parameters import RepeatedParameter
from tasks.progress import Reporter
from tasks.target import MANIFEST
from tasks.variants import Variant, listed_variants, table_variants

if TYPE_CHECKING:
    from distkeras.report import Competitor

__all__ = ["Compare"]


class Compare(ExperimentTask):
    """``report.html``, ``report.json`` and ``manifest.json``.

    What it compares are Evaluate tasks, which it runs itself: not as requirements, because luigi
    would not run it if one of those failed. With a failed one it writes what it can into
    ``<key>.partial/``, fails, and tries again the next time.
    """

    code_version = 1

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
            task = self._evaluation(variant)
            for name, other in made.items():
                if other.key == task.key:
                    raise ConfigError(
                        f"compare: variant {variant.name!r} gives the same result as {name!r}"
                    )
            made[variant.name] = task
        return made

    def run(self) -> None:
        """Runs the variants, then compares those that are there."""
        try:
            failures = attempt(self.evaluations)
        except KeyboardInterrupt:
            interrupted(self.task_family)
        if failures:
            self._report_partly(failures)
        super().run()
        files_of(self.partial).discard(str(self.partial))
        print(f"Compare: {self.output().place / 'report.html'}", file=sys.stderr)

    @property
    def partial(self) -> Place:
        """Where the report is while a variant has failed."""
        return locate(f"{self.output().url}.partial")

    def produce(self, staging: Place, report: Reporter) -> Mapping[str, Any]:
        """Writes the report of all variants."""
        report.phase("writing the report")
        self._write(staging, {})
        return {
            "variants": {
                variant.name: {"overrides": list(variant.overrides), "evaluate": str(task.output())}
                for variant, task in zip(self.variants, self.evaluations.values(), strict=True)
            },
            "set_list": list(self.set_list),
        }

    def _evaluation(self, variant: Variant) -> Evaluate:
        for override in variant.overrides:
            if override.partition("=")[0].strip().split(".")[0] in ("output", "compare"):
                raise ConfigError(f"compare: variant {variant.name!r}: {override}: cannot vary")
        try:
            return Evaluate(config=self.config, set=(*self.set, *variant.overrides))
        except DistkerasError as error:
            said = str(error).removeprefix(f"{self.config}: ").removeprefix("--set ")
            raise type(error)(f"compare: variant {variant.name!r}: {said}") from error

    def _report_partly(self, failures: Mapping[str, str]) -> None:
        """Writes the report of the variants that are there.

        Raises:
            TrainingError: always, with what failed.
        """
        files_of(self.partial).discard(str(self.partial))
        with publish(self.partial) as staging:
            self._write(staging, failures)
        whose = "; ".join(f"{name}: {why}" for name, why in failures.items())
        raise TrainingError(
            f"{len(failures)} of {len(self.variants)} variants failed: {whose}; "
            f"the report: {self.partial / 'report.html'}"
        )

    def _write(self, staging: Place, failures: Mapping[str, str]) -> None:
        from distkeras.report import write_comparison

        competitors = [self._competitor(variant, failures) for variant in self.variants]
        target = next(iter(self.experiment.compare.target.items()), None)
        found = write_comparison(staging / "report.html", self.config, competitors, target)
        write_json(staging / "report.json", found)

    def _competitor(self, variant: Variant, failures: Mapping[str, str]) -> Competitor:
        from pyarrow import BufferReader
        from pyarrow.parquet import read_table

        from distkeras.report import Competitor

        if variant.name in failures:
            return Competitor(variant.name, variant.overrides, failed=failures[variant.name])
        evaluate = self.evaluations[variant.name]
        trained = evaluate.requires()["train"].output().place
        history = read_table(BufferReader(read_bytes(trained / "history.parquet")))
        return Competitor(
            variant.name,
            variant.overrides,
            metrics=read_json(evaluate.output().place / "metrics.json"),
            history=history,
            trained=read_json(trained / MANIFEST),
            # The same wherever the whole of the output is moved to.
            report=f"../../{evaluate.task_family}/{evaluate.key}/report.html",
        )
