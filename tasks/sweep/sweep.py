"""A search over variants of one experiment."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from distkeras.errors import ConfigError, DistkerasError
from distkeras.storage import Place, write_json
from tasks.attempts import attempt
from tasks.overrides import short_names
from tasks.progress import Reporter
from tasks.reporting import ReportingTask, competitor, varied
from tasks.sweep.goal import goal, sweep_of
from tasks.sweep.search import Drawn, Outcome, Search
from tasks.sweep.space import SweepSpec
from tasks.sweep.trial import Trial

if TYPE_CHECKING:
    from distkeras.report import Candidate

__all__ = ["Sweep", "Tried"]

#: Runs trials, by name; says why those failed that did.
Runner = Callable[[Mapping[str, Trial]], Mapping[str, str]]


@dataclass(frozen=True)
class Tried:
    """A trial, and what has become of it.

    Attributes:
        drawn: its values.
        task: that runs it; None where its values do not go together.
        outcome: None for one that has not run.
    """

    drawn: Drawn
    task: Trial | None
    outcome: Outcome | None


class Sweep(ReportingTask):
    """``report.html``, ``report.json`` and ``manifest.json``.

    Its trials are drawn one round after the other, each with regard to the results before it. A
    later run draws the same ones and finds their results, so that it trains only what is missing.
    """

    code_version = 1
    parts_name = "trials"

    _tried: list[Tried] | None = None

    @property
    def spec(self) -> SweepSpec:
        """``[sweep]``."""
        return sweep_of(self.experiment)

    @property
    def number(self) -> int:
        """The trials."""
        return self.spec.trials

    def own_parts(self) -> dict[str, Any]:
        """``[sweep]``, and the experiment at the ends of each axis: models and data with it."""
        goal(self.experiment)
        corners = [
            [", ".join(overrides), varied(self, overrides, "sweep.space").key]
            for overrides in _corners(self.spec)
        ]
        return {"config": self.spec.model_dump(mode="json"), "corners": corners}

    def run_others(self) -> Mapping[str, str]:
        """Runs the trials that are not there."""
        self._tried = list(self.tried(partial(attempt, summary=False), self._tell))
        return {
            _name(one.drawn): one.outcome.failed
            for one in self._tried
            if one.outcome is not None and one.outcome.failed
        }

    def tried(
        self, run: Runner | None = None, tell: Callable[[Tried], None] | None = None
    ) -> Iterator[Tried]:
        """All trials, as far as the results that are there say which they are.

        Args:
            run: runs the trials of a round; None: none is run.
            tell: called with each.

        Raises:
            EnvironmentProblem: optuna is not installed.
        """
        search = Search(self.spec, goal(self.experiment))
        before: list[Tried] = []
        while len(before) < self.spec.trials:
            count = min(self.spec.at_once, self.spec.trials - len(before))
            for one in self._round([search.draw() for _ in range(count)], before, run):
                search.tell(one.drawn.number, one.outcome or Outcome(failed="did not run"))
                before.append(one)
                if tell is not None:
                    tell(one)
                yield one

    def produce(self, staging: Place, report: Reporter) -> Mapping[str, Any]:
        """Writes the report of all trials."""
        report.phase("writing the report")
        self.write(staging, {})
        return {"trials": [_made(one) for one in self._tried or ()]}

    def write(self, staging: Place, failures: Mapping[str, str]) -> None:
        """The report of the trials that are there."""
        from distkeras.report import Axis, Quest, write_search

        names = short_names(list(self.spec.space))
        axes = [
            Axis(key, name, axis.texts, "list" if axis.values else "log" if axis.log else "linear")
            for name, (key, axis) in zip(names, self.spec.space.items(), strict=True)
        ]
        quest = Quest(self.config, goal(self.experiment).objective, axes)
        candidates = [_candidate(one) for one in self._tried or ()]
        write_json(
            staging / "report.json", write_search(staging / "report.html", quest, candidates)
        )

    def _round(
        self, drawn: Sequence[Drawn], before: Sequence[Tried], run: Runner | None
    ) -> Iterator[Tried]:
        tasks: dict[int, Trial] = {}
        failures: dict[str, str] = {}
        for each in drawn:
            try:
                tasks[each.number] = self._trial(each, before)
            except DistkerasError as error:
                failures[_name(each)] = str(error)
        if run is not None:
            self._say(drawn)
            named = {_name(each): tasks[each.number] for each in drawn if each.number in tasks}
            failures |= run(named)
        for each in drawn:
            task = tasks.get(each.number)
            outcome = None if task is None else task.outcome()
            if outcome is None and _name(each) in failures:
                outcome = Outcome(failed=failures[_name(each)])
            yield Tried(each, task, outcome)

    def _trial(self, drawn: Drawn, before: Sequence[Tried]) -> Trial:
        evaluation = varied(self, drawn.overrides, "sweep.space")
        for one in before:
            if one.task is not None and one.task.evaluation.key == evaluation.key:
                return one.task  # What was stopped once is not tried again.
        return Trial(config=self.config, set=evaluation.set, rivals=self._rivals(before))

    def _rivals(self, before: Sequence[Tried]) -> tuple[str, ...]:
        """The keys of the whole trainings so far, as soon as they are enough to stop others."""
        whole = dict.fromkeys(
            one.task.training.key
            for one in before
            if one.task is not None and one.outcome is not None and one.outcome.value is not None
        )
        return tuple(whole) if self.spec.stops and len(whole) >= self.spec.startup else ()

    def _say(self, drawn: Sequence[Drawn]) -> None:
        """How far the search is, in luigi's visualiser."""
        if self.set_status_message is not None:
            self.set_status_message(f"trial {drawn[0].number} of {self.number}")
            self.set_progress_percentage(100 * (drawn[0].number - 1) // self.number)

    def _tell(self, one: Tried) -> None:
        said = _said(one.outcome, goal(self.experiment).objective)
        values = " ".join(one.drawn.overrides)
        print(
            f"Sweep: trial {one.drawn.number} of {self.number}: {values}: {said}", file=sys.stderr
        )


def _corners(spec: SweepSpec) -> Iterator[tuple[str, ...]]:
    """The first value of each axis, and each other value or end with the first ones."""
    first = {key: axis.texts[0] for key, axis in spec.space.items()}
    yield tuple(f"{key}={text}" for key, text in first.items())
    for key, axis in spec.space.items():
        for text in axis.texts[1:]:
            yield tuple(f"{name}={value}" for name, value in {**first, key: text}.items())


def _name(drawn: Drawn) -> str:
    return f"trial {drawn.number}"


def _said(outcome: Outcome | None, objective: str) -> str:
    if outcome is None or outcome.failed:
        return "failed"
    if outcome.stopped is not None:
        return f"stopped: {outcome.stopped.because}"
    return f"{objective} {outcome.value:.4f}"


def _made(one: Tried) -> dict[str, Any]:
    """What the manifest says of a trial; Clean keeps what it refers to."""
    if one.task is None:
        raise ConfigError(f"{_name(one.drawn)} has no task")
    return {
        "overrides": list(one.drawn.overrides),
        "trial": one.task.key,
        "evaluate": one.task.evaluation.key,
    }


def _candidate(one: Tried) -> Candidate:
    from distkeras.report import Candidate, Competitor

    outcome, number = one.outcome or Outcome(failed="did not run"), one.drawn.number
    about = (str(number), one.drawn.overrides)
    if outcome.stopped is not None:
        ended = outcome.stopped
        at = "" if ended.epochs is None else f"after {ended.epochs:.3g} of {ended.of} epochs: "
        shown = Competitor(*about, stopped=f"{at}{ended.because}")
    elif outcome.failed or one.task is None:
        shown = Competitor(*about, failed=outcome.failed)
    else:
        shown = competitor(*about, one.task.evaluation)
    return Candidate(number, one.drawn.values, shown, outcome.value)
