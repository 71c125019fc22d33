"""What the tasks of nightly retraining share: a date, a config, and where their results are."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import luigi
from luigi.cmdline_parser import CmdlineParser
from luigi.notifications import send_error_email

from distkeras.errors import ConfigError, DistkerasError
from distkeras.preprocessing.spec import PreprocessSpec, SplitSpec
from distkeras.storage import Place, locate
from tasks.config import Experiment, load_experiment
from tasks.console import quiet_interrupt
from tasks.nightly.nights import Nights
from tasks.nightly.notice import notify
from tasks.parameters import DayParameter, RepeatedParameter
from tasks.settings.sections import apply_sections

__all__ = ["NightTask"]


class NightTask(luigi.Task):  # type: ignore[misc]
    """A step of one night.

    Those of one config run one after the other, the oldest date first: each night needs to know
    what those before it have accepted and promoted.

    Raises:
        DistkerasError: one line that names the file, key, or path.
    """

    date: datetime.date = DayParameter(description="Of the day's data, e.g. 2013-03-01.")
    config = luigi.Parameter(description="The experiment's TOML file.", positional=False)
    set = RepeatedParameter(
        default=(), description="As for Evaluate; may be repeated.", positional=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if CmdlineParser.get_instance() is not None:
            quiet_interrupt()
        apply_sections()
        self.experiment: Experiment = load_experiment(self.config, self.set)
        self.spec = self.experiment.nightly
        self.nights = Nights.of(self.experiment.output, self.config)
        self._source = self._named_source()

    @property
    def priority(self) -> int:
        """Older dates first; luigi takes what is below 0 for 0."""
        return int(datetime.date.max.toordinal() - self.date.toordinal())

    @property
    def resources(self) -> dict[str, int]:
        """Of which luigi's scheduler has one: nights of one config do not run beside each other."""
        return {f"Nightly {self.nights.root}": 1}

    @property
    def raw(self) -> Place:
        """The file with the day's raw data."""
        folder = locate(self.experiment.preprocess.sources[self._source].path)
        return folder / self.spec.file_of(self.date)

    @property
    def raw_spec(self) -> PreprocessSpec:
        """``[preprocess]``, but of the one day."""
        given = self.experiment.preprocess
        source = given.sources[self._source].model_copy(update={"path": str(self.raw)})
        sources = {**given.sources, self._source: source}
        return given.model_copy(update={"sources": sources, "split": SplitSpec()})

    @property
    def window(self) -> list[datetime.date]:
        """The accepted days before this one."""
        day = datetime.timedelta(days=1)
        return self.nights.accepted(self.date - self.spec.window_days * day, self.date - day)

    def arguments(self) -> dict[str, Any]:
        """What another task of the same night is made with."""
        return {"date": self.date, "config": self.config, "set": self.set}

    def tell(self, record: Mapping[str, Any]) -> None:
        """Tells of what has become of the night: ``nightly.notify``, and luigi's ``[email]``.

        Args:
            record: with its date, outcome and why.
        """
        notify(self.spec.notify, record)
        if record["outcome"] == "quarantined":
            # Of failures luigi sends one itself.
            send_error_email(f"{self.config} {record['date']}: quarantined", str(record["why"]))

    def on_failure(self, exception: BaseException) -> Any:
        """What the visualiser shows: our errors as one line, others with their traceback."""
        why = " ".join(str(exception).split())
        self.tell({"date": self.date.isoformat(), "outcome": "failed", "why": why})
        return why if isinstance(exception, DistkerasError) else super().on_failure(exception)

    def _named_source(self) -> str:
        sources, name = self.experiment.preprocess.sources, self.spec.source
        if not name and len(sources) == 1:
            return next(iter(sources))
        if name not in sources:
            raise ConfigError(
                f"{self.config}: nightly.source = {name!r}: must be the source with a file a day, "
                f"one of {', '.join(sources)}"
            )
        return name
