"""What the three tasks share: their parameters, the key in their path, and publishing."""

from __future__ import annotations

import datetime
import errno
import hashlib
import multiprocessing
import time
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from platform import python_version
from typing import Any, ClassVar, NoReturn

import luigi
from luigi.cmdline_parser import CmdlineParser

from distkeras.errors import DistkerasError, EnvironmentProblem, StorageError, TrainingError
from distkeras.storage import Place, publish, spark_url, write_json
from tasks import session
from tasks.config import Experiment, load_experiment
from tasks.console import quiet_interrupt, quiet_libraries
from tasks.keys import digest
from tasks.parameters import RepeatedParameter
from tasks.progress import Reporter, reporting
from tasks.settings.sections import apply_sections
from tasks.target import MANIFEST, Published

__all__ = ["ExperimentTask", "explained", "interrupted"]

# The same TensorFlow comes under two names.
TENSORFLOW = ("tensorflow", "tensorflow-cpu")
VERSIONED = ("distkeras", "keras", "luigi", "numpy", "pandas", "pyarrow", "pyspark", *TENSORFLOW)


class ExperimentTask(luigi.Task):  # type: ignore[misc]
    """A step of an experiment; its result appears whole in ``<output>/<task>/<key>/``.

    The key is a hash of exactly what the result depends on: see ``parts``. A wrong config, a
    missing input and a model that is not there are errors when the task is made.

    Two tasks with one result are one task to luigi, whatever they were made with: experiments that
    share a step run it once.

    Raises:
        DistkerasError: one line that names the file, key, or path.
    """

    config = luigi.Parameter(description="The experiment's TOML file.")
    set = RepeatedParameter(
        default=(), description="Overrides one key, e.g. train.num_workers=4; may be repeated."
    )

    #: Raised by hand when the task's code changes what it writes.
    code_version: ClassVar[int]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if CmdlineParser.get_instance() is not None:
            quiet_interrupt()
        apply_sections()
        self.experiment: Experiment = load_experiment(self.config, self.set)
        self.parts = self.depends_on()
        self.key = digest(self.parts)
        self.task_id = f"{self.task_family}_{self.key}_{_short(spark_url(self.output().url))}"

    def __hash__(self) -> int:
        return hash(self.task_id)

    def depends_on(self) -> dict[str, Any]:
        """All that the result depends on, as JSON."""
        try:
            own = {"task": self.task_family, "code": self.code_version, **self.own_parts()}
        except DistkerasError as error:
            raise type(error)(f"{self.config}: {error}") from error
        upstream = {name: task.key for name, task in self.requires().items()}
        return own | ({"upstream": upstream} if upstream else {})

    @abstractmethod
    def own_parts(self) -> dict[str, Any]:
        """What the result depends on beside its upstream."""

    def requires(self) -> dict[str, ExperimentTask]:
        """The tasks before this one, by name."""
        return {}

    def output(self) -> Published:
        """The directory that holds the result."""
        return Published(f"{self.experiment.output}/{self.task_family}/{self.key}")

    @abstractmethod
    def produce(self, staging: Place, report: Reporter) -> Mapping[str, Any]:
        """Writes everything but the manifest into the directory; returns the manifest's content.

        Args:
            staging: an empty directory.
            report: takes the progress.
        """

    def run(self) -> None:
        """Produces the result and publishes it."""
        quiet_libraries()
        try:
            with reporting(self) as report, publish(self.output().url) as staging:
                started = time.monotonic()
                manifest = dict(self.produce(staging, report))
                report.end_phase()
                manifest["task"] = self._about(time.monotonic() - started, report.seconds)
                write_json(staging / MANIFEST, manifest)
        except KeyboardInterrupt:
            interrupted(self.task_family)
        except Exception as error:
            raise explained(error) from error
        if not self.complete():
            raise StorageError(f"{self.output()}: stands there without {MANIFEST}: remove it")

    def run_within(self, other: ExperimentTask) -> None:
        """Runs as a part of another task, which luigi shows in its place."""
        for told in ("set_tracking_url", "set_status_message", "set_progress_percentage"):
            setattr(self, told, getattr(other, told))
        self.run()

    def on_failure(self, exception: BaseException) -> Any:
        """What the visualiser shows: our errors as one line, others with their traceback."""
        if isinstance(exception, DistkerasError):
            return str(exception)
        return super().on_failure(exception)

    def start_spark(self, report: Reporter) -> Any:
        """The process's Spark session; its UI's address goes to the visualiser."""
        report.phase("starting Spark")
        spark = session.spark_session()
        report.tracking(spark.sparkContext.uiWebUrl)
        return spark

    def arguments(self) -> dict[str, Any]:
        """What an upstream task of the same experiment is made with."""
        return {"config": self.config, "set": self.set}

    def _about(self, seconds: float, phases: Mapping[str, float]) -> dict[str, Any]:
        now = datetime.datetime.now(datetime.timezone.utc)
        return {
            "name": self.task_family,
            "key": self.key,
            "depends_on": self.parts,
            "config_file": self.config,
            "overrides": list(self.set),
            "finished": now.isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "phases": dict(phases),
            "versions": _versions(),
        }


def interrupted(name: str) -> NoReturn:
    """Ends a task that Ctrl-C has reached.

    Args:
        name: of the task.

    Raises:
        KeyboardInterrupt: in luigi's own process.
        TrainingError: in one that luigi forked.
    """
    session.abandon_session()
    if multiprocessing.parent_process() is None:
        raise KeyboardInterrupt
    # Luigi reports it, and its own process ends.
    raise TrainingError(f"{name}: interrupted")


def explained(error: Exception) -> Exception:
    """One line for what the machine lacks; anything else stays as it is."""
    if (lost := session.lost_session()) is not None:
        return lost
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not isinstance(error, DistkerasError) and (full or "No space left on device" in str(error)):
        return EnvironmentProblem("no space left on a disk: of the output, or of Spark's local dir")
    if isinstance(error, PermissionError) and error.filename:
        return StorageError(f"{error.filename}: {error.strerror}")
    return error


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _versions() -> dict[str, str]:
    found = {"python": python_version()}
    for package in VERSIONED:
        name = package.removesuffix("-cpu")
        with suppress(metadata.PackageNotFoundError):
            found.setdefault(name, metadata.version(package))
    return found
