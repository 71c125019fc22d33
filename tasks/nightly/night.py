"""One night: a day's data, a new model, and which one serves from now on."""

from __future__ import annotations

import datetime
import json
import math
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

import luigi

from distkeras.errors import DistkerasError, TrainingError
from distkeras.report import write_trend
from distkeras.storage import (
    Place,
    locate,
    publish,
    publish_file,
    read_bytes,
    read_json,
    spark_url,
    withdraw,
    write_bytes,
    write_json,
)
from tasks.attempts import attempt
from tasks.base import explained, interrupted
from tasks.console import quiet_libraries
from tasks.nightly.day import Day
from tasks.nightly.judgement import judge, write_night_report
from tasks.nightly.night_task import NightTask
from tasks.nightly.nights import DAY, Model
from tasks.nightly.promotion import decide, scores
from tasks.nightly.retrain import Retrain
from tasks.progress import Reporter, reporting
from tasks.target import MANIFEST, Published

__all__ = ["Nightly"]

#: What a promoted model's directory has of its training's.
_MODEL = ("model.keras", "model.keras.sha256", "preprocessor.json", "history.parquet", MANIFEST)


class Nightly(NightTask):
    """``nights/<date>/``: the record of a night; what it promotes is there before. docs/nightly.md.

    What depends on the day are tasks that it runs itself: whether anything is to be trained, and
    from which weights, is known only when the day has been looked at.
    """

    def requires(self) -> dict[str, luigi.Task]:
        """The day's rows."""
        return {"day": Day(**self.arguments())}

    def output(self) -> Published:
        """The record."""
        return Published(str(self.nights.night(self.date)))

    def complete(self) -> bool:
        """Whether it has a record, but not of a bad day whose file has changed since."""
        record = self.nights.record(self.date)
        if record is None:
            return False
        return record["outcome"] != "quarantined" or self._still_refused()

    @classmethod
    def bulk_complete(cls, parameter_tuples: Iterable[Any]) -> list[Any]:
        """For luigi's RangeDaily."""
        return [date for date in parameter_tuples if cls(date).complete()]

    def run(self) -> None:
        """Runs the night, records it, and tells of it."""
        quiet_libraries()
        started = time.monotonic()
        withdraw(self.output().url)  # Of a bad day, if anything is there.
        try:
            with reporting(self) as report:
                record = self._night(report, started)
        except KeyboardInterrupt:
            interrupted(self.task_family)
        except Exception as error:
            raise explained(error) from error
        print(f"Nightly {record['date']}: {record['outcome']}: {record['why']}", file=sys.stderr)
        self._write_trend()
        self.tell(record)

    def _still_refused(self) -> bool:
        day = Day(**self.arguments())
        return day.complete() and bool(day.manifest()["complaints"])

    def _night(self, report: Reporter, started: float) -> dict[str, Any]:
        """The record, published."""
        day = self.requires()["day"].manifest()
        about = {
            "date": self.date.isoformat(),
            "rows": day.get("rows"),
            "drift": {
                name: value
                for name, value in day.get("drift", {}).items()
                if self.spec.psi_limit(name) < math.inf
            },
        }
        outcome = self._nothing_to_train(day)
        if outcome is not None:
            return self._recorded({**about, **outcome}, day, started)
        return self._trained(about, day, report, started)

    def _nothing_to_train(self, day: Mapping[str, Any]) -> dict[str, str] | None:
        current, window = self.nights.current(), self.window
        if day["complaints"]:
            return {"outcome": "quarantined", "why": "; ".join(day["complaints"])}
        if current and current.model.night > self.date.isoformat():
            return {"outcome": "late", "why": f"the model of {current.model.night} serves already"}
        if len(window) < self.spec.min_days:
            least = f"{len(window)} of at least {self.spec.min_days} days in the window"
            return {"outcome": "collected", "why": least}
        return None

    def _trained(
        self, about: Mapping[str, Any], day: Mapping[str, Any], report: Reporter, started: float
    ) -> dict[str, Any]:
        serving = self._serving()
        start = str(self.nights.model(serving.folder)) if serving else ""
        retrain = Retrain(config=self.config, set=self._overrides(), start=start)
        if failures := attempt({"night": retrain}):
            raise TrainingError(failures["night"])
        made, data = retrain.output().place, retrain.requires()["preprocess"].output().place
        rows = spark_url(self.nights.day(self.date))
        places = {"new": made} | ({"serving": locate(start)} if serving else {})
        found = judge(places, rows, self.experiment, report)
        measure = self.spec.measure_for(self.experiment.preprocess.label.kind)
        decision = decide(found["new"], found.get("serving"), measure, self.spec.tolerance)
        if decision.promote:
            model = Model(self.date.isoformat(), f"{self.date.isoformat()}-{retrain.key}")
            self._promote(model, serving, made, decision.why)
        manifest = read_json(data / MANIFEST)
        measures = dict.fromkeys([measure, "accuracy"] if "accuracy" in found["new"] else [measure])
        record = {
            **about,
            "outcome": "promoted" if decision.promote else "kept",
            "why": decision.why,
            "measure": measure,
            "scores": {name: scores(found, manifest, name) for name in measures},
            "serving": serving.night if serving else None,
            "started": read_json(made / MANIFEST)["started"],
            "window": [one.isoformat() for one in self.window],
        }
        record = self._recorded(record, day, started, (found, made, data))
        # Whoever is killed before these lines has them done by the task Clean.
        withdraw(retrain.output().url)
        withdraw(retrain.requires()["preprocess"].output().url)
        return record

    def _serving(self) -> Model | None:
        """What serves, or did before this night's model, if it was promoted and not recorded."""
        current = self.nights.current()
        if current is None:
            return None
        same = current.model.night == self.date.isoformat()
        return current.before if same else current.model

    def _overrides(self) -> tuple[str, ...]:
        """What makes the experiment one of the window's days, with this day as the test split."""
        days = json.dumps(str(self.nights.days))
        first = self.window[0].isoformat()
        date = self.date.isoformat()
        return (
            *self.set,
            f'preprocess.sources={{accepted = {{path = {days}, format = "parquet"}}}}',
            "preprocess.sql=SELECT * FROM accepted "
            f"WHERE {DAY} BETWEEN DATE'{first}' AND DATE'{date}'",
            "preprocess.drop=[]",
            f'preprocess.split={{method = "time", column = "{DAY}", test_from = {date}}}',
        )

    def _promote(self, model: Model, before: Model | None, made: Place, why: str) -> None:
        with publish(self.nights.model(model.folder)) as staging:
            for name in _MODEL:
                write_bytes(staging / name, read_bytes(made / name))
        self.nights.promote(model, before, why)

    def _recorded(
        self,
        record: Mapping[str, Any],
        day: Mapping[str, Any],
        started: float,
        judged: tuple[Mapping[str, Any], Place, Place] | None = None,
    ) -> dict[str, Any]:
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        seconds = round(time.monotonic() - started + day["seconds"], 3)
        whole = {**record, "finished": now, "seconds": seconds}
        with publish(self.output().url) as staging:
            if judged is not None:
                write_night_report(staging, *judged)
            write_json(staging / MANIFEST, whole)
        return whole

    def _write_trend(self) -> None:
        try:
            with publish_file(self.nights.root / "trend.html") as path:
                write_trend(path, self.nights.root.name, list(self.nights.records()))
        except DistkerasError as error:
            # The night is over, and the next one writes it anew.
            print(f"Nightly: no trend page: {error}", file=sys.stderr)
