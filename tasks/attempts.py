"""Running several tasks of which some may fail, and hearing why."""

from __future__ import annotations

import json
import logging
import multiprocessing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import luigi
from luigi.rpc import RemoteScheduler
from luigi.scheduler import Scheduler
from luigi.worker import Worker, fork_lock

from tasks.base import ExperimentTask

__all__ = ["attempt"]


def attempt(tasks: Mapping[str, ExperimentTask], summary: bool = True) -> dict[str, str]:
    """Runs tasks, and those before them, each as far as it gets.

    They are ordinary tasks of a luigi of their own, with the scheduler and the number of workers
    of the one around it. So a failure among them, or the death of a process, stops only what
    depends on it, and they are tried again the next time.

    Args:
        tasks: by a name each.
        summary: whether luigi's log sums up which of them ran.

    Returns:
        Why those did not complete that did not, in one line each.
    """
    if all(task.complete() for task in tasks.values()):
        return {}
    asked = _Asked()
    _free_forking()
    with nullcontext() if summary else _no_summary():
        luigi.build([*tasks.values()], asked)
    return {name: asked.why(task) for name, task in tasks.items() if not task.complete()}


@contextmanager
def _no_summary() -> Iterator[None]:
    logger = logging.getLogger("luigi-interface")

    def shown(record: logging.LogRecord) -> bool:
        return "Execution Summary" not in record.getMessage()

    logger.addFilter(shown)
    try:
        yield
    finally:
        logger.removeFilter(shown)


def _free_forking() -> None:
    """Lets a process that luigi forked fork others.

    Luigi holds a lock while it forks. The new process has a copy of it, and none of the threads
    that would release that.
    """
    if multiprocessing.parent_process() is not None and fork_lock.locked():
        fork_lock.release()


class _Asked:
    """Makes luigi's schedulers and workers, and asks the scheduler afterwards."""

    def create_local_scheduler(self) -> Any:
        """See ``luigi.build``."""
        self.scheduler = Scheduler(prune_on_get_work=True, record_task_history=False)
        return self.scheduler

    def create_remote_scheduler(self, url: str) -> Any:
        """See ``luigi.build``."""
        self.scheduler = RemoteScheduler(url)
        return self.scheduler

    def create_worker(self, scheduler: Any, worker_processes: int, assistant: bool = False) -> Any:
        """See ``luigi.build``."""
        return Worker(scheduler=scheduler, worker_processes=worker_processes, assistant=assistant)

    def why(self, task: ExperimentTask) -> str:
        """The error of the first task of a chain that is not complete."""
        step = next(one for one in _chain(task) if not one.complete())
        said = _text(self.scheduler.fetch_error(task_id=step.task_id)["error"]) or "did not run"
        # A traceback says in its last line what was wrong.
        return f"{step.task_family}: {said.splitlines()[-1]}"


def _text(said: str | None) -> str:
    """What luigi keeps of a failure: usually as JSON."""
    with suppress(ValueError):
        said = str(json.loads(said or '""'))
    return (said or "").strip()


def _chain(task: ExperimentTask) -> Iterator[ExperimentTask]:
    for before in task.requires().values():
        yield from _chain(before)
    yield task
