"""One variant of a sweep: trained and evaluated, or stopped when it is behind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

from distkeras.errors import ConfigError, TrainingDiverged, TrainingStopped
from distkeras.storage import Place, read_json
from tasks.base import ExperimentTask
from tasks.evaluate import Evaluate
from tasks.parameters import RepeatedParameter
from tasks.preprocess import Preprocess
from tasks.progress import Reporter
from tasks.sweep.goal import goal, sweep_of
from tasks.sweep.hopeless import STRETCHES, Curve, Hopeless, Yardstick
from tasks.sweep.search import Outcome, Stopped
from tasks.target import MANIFEST
from tasks.train import Train

__all__ = ["Trial"]


class Trial(ExperimentTask):
    """``manifest.json`` with how the training was ended; a whole one leaves nothing here.

    What comes to its end are the ordinary results of Train and Evaluate, and the trial is complete
    when those are there. So whoever needs the same variant finds them, and the trial finds those
    that others have made.
    """

    rivals = RepeatedParameter(
        default=(), description="Keys of the whole trainings that it has to keep up with."
    )

    code_version = 1

    def own_parts(self) -> dict[str, Any]:
        """The variant, and when it is stopped."""
        parts: dict[str, Any] = {"evaluate": self.evaluation.key, "rivals": list(self.rivals)}
        if self.rivals:
            spec = sweep_of(self.experiment)
            watched = goal(self.experiment).watched
            parts["stop"] = [watched, spec.percentile, spec.warmup]
        return parts

    @cached_property
    def evaluation(self) -> Evaluate:
        """The same variant, as everybody else has it."""
        return Evaluate(**self.arguments())

    @property
    def training(self) -> Train:
        """Likewise."""
        return self.evaluation.training

    def requires(self) -> dict[str, ExperimentTask]:
        """The normalized data."""
        return {"preprocess": Preprocess(**self.arguments())}

    def complete(self) -> bool:
        """Whether it was stopped, or is evaluated."""
        return self.output().exists() or self.evaluation.complete()

    def run(self) -> None:
        """Trains and evaluates; publishes only that it was stopped."""
        watching = None
        try:
            if not self.training.complete():
                watching = self._watching()
                self._train(watching)
        except (TrainingStopped, TrainingDiverged) as end:
            self.training.forget()
            self._ended = self._told(end, watching)
            super().run()
        else:
            self.evaluation.run_within(self)

    def produce(self, staging: Place, report: Reporter) -> Mapping[str, Any]:
        """How the training was ended."""
        return {"ended": asdict(self._ended)}

    def outcome(self) -> Outcome | None:
        """What has become of it; None while there is nothing."""
        if self.output().exists():
            # Before all else: later trials were drawn, and stopped, with regard to it.
            ended = read_json(self.output().place / MANIFEST)["ended"]
            told = {int(stretch): value for stretch, value in ended.pop("told").items()}
            return Outcome(stopped=Stopped(**ended, told=told))
        if not self.evaluation.complete():
            return None
        measure = goal(self.experiment).objective
        value = read_json(self.evaluation.output().place / "metrics.json").get(measure)
        if value is None or not math.isfinite(value):
            return Outcome(failed=f"Evaluate: there is no {measure} on the test split")
        return Outcome(value=value)

    def _train(self, watching: Hopeless | None) -> None:
        self.training.stop = () if watching is None else (watching,)
        try:
            self.training.run_within(self)
        finally:
            # Luigi gives the same object to whoever asks for this task again.
            self.training.stop = ()

    def _told(self, end: Exception, watching: Hopeless | None) -> Stopped:
        because, epochs = " ".join(str(end).split()), self.experiment.train.num_epoch
        if watching is None or isinstance(end, TrainingDiverged):
            # However well it went before.
            return Stopped(f"it diverged: {because}", None, epochs, {})
        return Stopped(because, watching.at, epochs, watching.told)

    def _watching(self) -> Hopeless | None:
        if not self.rivals:
            return None
        spec = sweep_of(self.experiment)
        measure = goal(self.experiment).watched
        trained = [read_json(place / MANIFEST) for place in self._places()]
        passes = trained[0]["config"]["num_epoch"] / STRETCHES
        curves = [
            _curve(place, measure, passes * one["rows"])
            for place, one in zip(self._places(), trained, strict=True)
        ]
        warmup = math.ceil(spec.warmup * STRETCHES)
        yardstick = Yardstick(measure, spec.percentile, warmup, passes, curves)
        return Hopeless(yardstick, self.experiment.train.num_epoch)

    def _places(self) -> list[Place]:
        folder = self.training.output().place.parent
        return [folder / key for key in self.rivals]


def _curve(place: Place, measure: str, size: float) -> dict[int, float]:
    from distkeras.history import read_history
    from distkeras.report.curves import measures

    history = read_history(place / "history.parquet")
    if measure not in history.column_names:
        known = ", ".join(measures(history))
        raise ConfigError(f"sweep.watch = {measure!r}: {place} has measured {known}")
    curve = Curve(size)
    for rows, value in zip(
        history["samples"].to_pylist(), history[measure].to_pylist(), strict=True
    ):
        curve.add(rows, math.nan if value is None else value)
    return curve.means
