"""What the server's owner allows, and whether a job keeps to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from distkeras.errors import ConfigError
from distkeras.punchcard.data_roots import DataRoots
from distkeras.punchcard.job_file import JobFile
from distkeras.punchcard.own_trainers import KNOWN
from distkeras.trainers import Trainer
from distkeras.trainers.arguments import trainer_named
from distkeras.trainers.described import check_arguments

__all__ = ["Limits", "check_job"]


@dataclass(frozen=True)
class Limits:
    """What the server's owner allows.

    Attributes:
        roots: the folders that data may be in.
        masters: of Spark, that a job may ask for; the first is for those that ask for none.
            ``local`` becomes ``local[cores]``.
        running: jobs at once over all.
        executors: of a job.
        processes: cores of an executor.
        memory_mb: MiB of an executor.
        model_bytes: of a ``.keras`` file, and of what is packed in it.
        waiting: jobs of one identity that have not ended.
        waiting_bytes: of the models of all those.
        free_bytes: that a model leaves on the server's own disk.
        keep_seconds: that what is left of a job is kept after its end; None: for ever.
        seconds: that a job may run.
        trainers: by name, those that the owner has installed included.
    """

    roots: DataRoots
    masters: tuple[str, ...] = ("local",)
    running: int = 2
    executors: int = 16
    processes: int = 16
    memory_mb: int = 16384
    model_bytes: int = 512 << 20
    waiting: int = 1000
    waiting_bytes: int = 8 << 30
    free_bytes: int = 1 << 30
    keep_seconds: float | None = None
    seconds: float = 7 * 86400.0
    trainers: Mapping[str, type[Trainer]] = field(default_factory=lambda: KNOWN)


def check_job(job: JobFile, limits: Limits) -> None:
    """Refuses a job that the owner does not allow, or that could not be trained.

    Raises:
        ConfigError: one line that names the key, and what is allowed.
    """
    for name, value, most in (
        ("num_executors", job.num_executors, limits.executors),
        ("num_processes", job.num_processes, limits.processes),
        ("executor_memory_mb", job.executor_memory_mb, limits.memory_mb),
        ("model.bytes", job.model.bytes, limits.model_bytes),
    ):
        if value > most:
            raise ConfigError(f"{name} is {value}, but this server allows {most}")
    if job.master is not None and job.master not in limits.masters:
        raise ConfigError(f"master: this server has {', '.join(limits.masters)}")
    limits.roots.check(job.data_path)
    _check_trainer(job, limits)


def _check_trainer(job: JobFile, limits: Limits) -> None:
    try:
        kind = trainer_named(job.trainer.name, limits.trainers)
    except ConfigError as error:
        raise ConfigError(f"trainer.name: {error}") from None
    try:
        # Python reads more than JSON has: Infinity, and half characters.
        json.dumps(job.trainer.arguments, allow_nan=False, ensure_ascii=False).encode()
        trainer = check_arguments(kind, job.trainer.arguments)
    except (TypeError, ValueError, OverflowError) as error:  # ConfigError is a ValueError
        raise ConfigError(f"trainer.arguments: {' '.join(str(error).split())}") from None
    slots = job.num_executors * job.num_processes
    if trainer.rule.synchronous and trainer.num_workers > slots:
        raise ConfigError(
            f"trainer.arguments: num_workers is {trainer.num_workers}, but must be at most "
            f"num_executors * num_processes = {slots}: the workers of {kind.__name__} wait for "
            "each other"
        )
