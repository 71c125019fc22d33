"""Where nightly retraining keeps what it makes, and the pointer to the model that serves."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from distkeras.errors import StorageError
from distkeras.storage import Place, exists, locate, publish_file, read_json, write_json
from tasks.inventory import names
from tasks.target import MANIFEST

__all__ = ["DAY", "Current", "Model", "Nights"]

#: The column that tells of which day a row is: Spark makes it of the folders' names.
DAY = "data_day"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Model(NamedTuple):
    """A model that was promoted.

    Attributes:
        night: the date of the data that it was tested on, ISO.
        folder: the name of its directory, below that of all models.
    """

    night: str
    folder: str


class Current(NamedTuple):
    """What ``current.json`` says.

    Attributes:
        model: that serves.
        before: that served before it; None for the first.
        since: when it was promoted, ISO, UTC.
        why: one line.
    """

    model: Model
    before: Model | None
    since: str
    why: str

    def to_json(self) -> dict[str, Any]:
        """As the file has it: for readers, ``model`` is a path below the file's directory."""
        before = {"night": self.before.night, "model": _path(self.before)} if self.before else None
        mine = {"night": self.model.night, "model": _path(self.model)}
        return mine | {"since": self.since, "why": self.why, "before": before}


class Nights:
    """The directory ``<output>/Nightly/<name>/``; see docs/nightly.md.

    Args:
        output: the directory of all results.
        name: of the config's file, without folders and ending.
    """

    def __init__(self, output: str, name: str) -> None:
        self.root = locate(output) / "Nightly" / name

    @classmethod
    def of(cls, output: str, config: str) -> Nights:
        """Of a config's file."""
        return cls(output, Path(config).stem)

    @property
    def days(self) -> Place:
        """The accepted rows, a folder a day."""
        return self.root / "days"

    def day(self, date: datetime.date) -> Place:
        """The accepted rows of a day."""
        return self.days / f"{DAY}={date.isoformat()}"

    def quarantine(self, date: datetime.date) -> Place:
        """Why a day was not accepted."""
        return self.root / "quarantine" / date.isoformat()

    def night(self, date: datetime.date) -> Place:
        """The record of a night."""
        return self.root / "nights" / date.isoformat()

    def model(self, folder: str) -> Place:
        """A model that was promoted."""
        return self.root / "models" / folder

    def accepted(self, first: datetime.date, last: datetime.date) -> list[datetime.date]:
        """The accepted days from the first to the last one, both included.

        Raises:
            StorageError: the file system does not answer.
        """
        found = (name.removeprefix(f"{DAY}=") for name in names(self.days))
        dates = sorted(datetime.date.fromisoformat(one) for one in found if _DATE.fullmatch(one))
        return [date for date in dates if first <= date <= last]

    def record(self, date: datetime.date) -> dict[str, Any] | None:
        """What a night has recorded; None while it has not.

        Raises:
            StorageError: the file system does not answer.
        """
        place = self.night(date) / MANIFEST
        return read_json(place) if exists(place) else None

    def records(self) -> Iterator[dict[str, Any]]:
        """The records of all nights, in the order of their dates.

        Raises:
            StorageError: the file system does not answer.
        """
        for name in sorted(filter(_DATE.fullmatch, names(self.root / "nights"))):
            if (record := self.record(datetime.date.fromisoformat(name))) is not None:
                yield record

    def current(self) -> Current | None:
        """The pointer; None while no model was promoted.

        Raises:
            StorageError: it is damaged, or the file system does not answer.
        """
        place = self.root / "current.json"
        if not exists(place):
            return None
        found = read_json(place)
        try:
            before = found["before"]
            return Current(
                _model(found), _model(before) if before else None, found["since"], found["why"]
            )
        except (KeyError, TypeError) as error:
            raise StorageError(f"{place}: is no pointer to a model: {error!r}") from error

    def promote(self, model: Model, before: Model | None, why: str) -> None:
        """Lets a model serve: replaces the pointer in one step.

        Args:
            model: that shall serve; its directory is there.
            before: that serves, as the decision knew it.
            why: one line.

        Raises:
            StorageError: another run has promoted one meanwhile, or it cannot be written.
        """
        there = self.current()
        serving = there.model if there else None
        # One of the same night was promoted by a run that was killed before it could record that.
        if serving != before and (serving is None or serving.night != model.night):
            raise StorageError(
                f"{self.root / 'current.json'}: another run has promoted meanwhile: run again"
            )
        since = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        with publish_file(self.root / "current.json") as path:
            write_json(path, Current(model, before, since, why).to_json())


def _path(model: Model) -> str:
    return f"models/{model.folder}"


def _model(found: Mapping[str, Any]) -> Model:
    return Model(str(found["night"]), str(found["model"]).removeprefix("models/"))
