"""One day's raw data into rows that can be trusted, or into the reasons why they cannot."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import luigi

from distkeras.errors import ConfigError, DataError, EnvironmentProblem, StorageError
from distkeras.preprocessing.drift import Profile, drifts
from distkeras.storage import (
    Place,
    exists,
    fingerprint,
    publish,
    read_json,
    spark_url,
    withdraw,
    write_json,
)
from tasks import session
from tasks.base import explained, interrupted
from tasks.console import quiet_libraries
from tasks.nightly.night_task import NightTask
from tasks.nightly.nights import DAY
from tasks.nightly.validation import complaints
from tasks.progress import Reporter, reporting
from tasks.target import MANIFEST

if TYPE_CHECKING:
    from distkeras.preprocessing.daily import DailyColumns

__all__ = ["Day", "RawDay"]

#: With an underscore Spark takes it for none of the files of rows.
DAY_MANIFEST = f"_{MANIFEST}"


class _Refused(DataError):  # noqa: N818 - what became of the day
    """A day that was read, and is bad.

    Attributes:
        found: what its manifest says beside the reasons.
    """

    def __init__(self, reasons: Sequence[str], found: Mapping[str, Any]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons, self.found = list(reasons), found


class RawDay(NightTask, luigi.ExternalTask):  # type: ignore[misc]
    """The file with a day's raw data, which somebody else writes."""

    def complete(self) -> bool:
        """Whether it is there."""
        return exists(self.raw)


class Day(NightTask):
    """The day's rows in ``days/``, or the reasons why not in ``quarantine/``."""

    def requires(self) -> dict[str, luigi.Task]:
        """The raw data."""
        return {"raw": RawDay(**self.arguments())}

    def complete(self) -> bool:
        """Whether it was accepted, or refused and the file is the same since."""
        if exists(self.nights.day(self.date)):
            return True
        place = self.nights.quarantine(self.date) / MANIFEST
        if not exists(place):
            return False
        return not exists(self.raw) or read_json(place)["raw"] == fingerprint(self.raw)

    def manifest(self) -> dict[str, Any]:
        """What is known of the day; ``complaints`` are none for an accepted one."""
        accepted = self.nights.day(self.date)
        if exists(accepted):
            return read_json(accepted / DAY_MANIFEST)
        return read_json(self.nights.quarantine(self.date) / MANIFEST)

    def run(self) -> None:
        """Reads, compares, and accepts or refuses."""
        quiet_libraries()
        started = time.monotonic()
        about = {"date": self.date.isoformat(), "raw": fingerprint(self.raw)}
        # A file that has changed since it was refused.
        withdraw(self.nights.quarantine(self.date))
        try:
            with reporting(self) as report:
                self._accept_or_refuse(report, about, started)
        except KeyboardInterrupt:
            interrupted(self.task_family)
        except Exception as error:
            raise explained(error) from error

    def _accept_or_refuse(self, report: Reporter, about: Mapping[str, Any], started: float) -> None:
        for last in (False, True):
            try:
                return self._accept(report, about, started)
            except _Refused as error:
                return self._refuse(error.reasons, {**about, **error.found}, started)
            except DataError as error:
                # What cannot be read is bad only if that is so twice, and Spark is well.
                _ask_spark(error)
                if last:
                    return self._refuse([str(error)], about, started)

    def _accept(self, report: Reporter, about: Mapping[str, Any], started: float) -> None:
        from distkeras.preprocessing.daily import write_day

        report.phase("starting Spark")
        spark = session.spark_session()
        with publish(self.nights.day(self.date)) as staging:
            report.phase("reading the day")
            columns = write_day(spark, self.raw_spec, staging)
            if DAY in (*columns.numbers, *columns.categories):
                raise ConfigError(f"{self.config}: no column may be called {DAY}: rename it")
            report.phase("comparing it with the window")
            found = self._compared(spark, staging, columns)
            if fingerprint(self.raw) != about["raw"]:
                raise StorageError(f"{self.raw}: changed while being read; run again")
            report.end_phase()
            if found["complaints"]:
                raise _Refused(found["complaints"], found)
            seconds = round(time.monotonic() - started, 3)
            write_json(staging / DAY_MANIFEST, {**about, **found, "seconds": seconds})

    def _compared(self, spark: Any, rows: Place, columns: DailyColumns) -> dict[str, Any]:
        from distkeras.preprocessing.profiles import profiles

        window = self.window
        for name in self.spec.psi_of:
            if name not in (*columns.numbers, *columns.categories):
                raise ConfigError(f"{self.config}: nightly.psi_of.{name}: there is no such column")
        reasons = self._other_columns(columns, window)
        today = spark.read.parquet(spark_url(rows))
        before, day = today.limit(0), Profile(0)
        if window and not reasons:
            before = spark.read.parquet(spark_url(self.nights.days))
            dates = ", ".join(f"DATE'{one}'" for one in window)
            before = before.where(f"{DAY} IN ({dates})")
        known, day = profiles(before, today, columns.numbers, columns.categories)
        drift = drifts(known, day)
        label = self.experiment.preprocess.label
        classes = label.column if label.kind == "classes" else None
        reasons += complaints(day, known, 0 if reasons else len(window), drift, self.spec, classes)
        return {
            "rows": day.rows,
            "columns": columns._asdict(),
            "window": [one.isoformat() for one in window],
            "drift": {name: round(value, 4) for name, value in drift.items()},
            "profile": day.to_json(),
            "complaints": reasons,
        }

    def _other_columns(self, columns: DailyColumns, window: Sequence[datetime.date]) -> list[str]:
        """Rows of other columns cannot be compared, nor trained on together."""
        if not window:
            return []
        known = read_json(self.nights.day(window[-1]) / DAY_MANIFEST)["columns"]
        before = {name for names in known.values() for name in names}
        now = {name for names in columns for name in names}
        changed = [f"there is no column {name} any more" for name in sorted(before - now)]
        return changed + [f"the column {name} is new" for name in sorted(now - before)]

    def _refuse(self, reasons: list[str], found: Mapping[str, Any], started: float) -> None:
        seconds = round(time.monotonic() - started, 3)
        with publish(self.nights.quarantine(self.date)) as staging:
            made = {**found, "complaints": reasons, "seconds": seconds}
            write_json(staging / MANIFEST, made)


def _ask_spark(error: DataError) -> None:
    """Whether Spark still answers, after an error that it may have been the reason of.

    Raises:
        EnvironmentProblem: it does not.
    """
    from distkeras.preprocessing.failures import plain_errors

    try:
        with plain_errors("asking Spark"):
            session.spark_session().range(1).count()
    except DataError:
        raise EnvironmentProblem(f"Spark does not answer any more: {error}") from error
