"""Runs the same Evaluate many times at once, in threads of one process with one Spark session."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

from distkeras import storage
from tasks import Evaluate
from tasks.session import spark_session


def main(count: int, config: str) -> None:
    """Fails if one of them does, or if what is published is ever seen to change."""
    task = Evaluate(config=config)
    spark_session()
    together, ended = Barrier(count + 1), Event()

    def rerun() -> None:
        together.wait()
        task.run()

    # What luigi's worker gives a task; nobody listens here.
    task.set_status_message = task.set_progress_percentage = task.set_tracking_url = ignore
    with ThreadPoolExecutor(count + 1) as threads:
        seen = threads.submit(watch, str(task.output()), together, ended)
        runs = [threads.submit(rerun) for _ in range(count)]
        try:
            for run in runs:
                run.result()
        finally:
            ended.set()
    if len(set(seen.result())) != 1:
        raise SystemExit(f"what was published changed: {seen.result()}")


def ignore(*_: object) -> None:
    """Takes what is reported."""


def watch(published: str, together: Barrier, ended: Event) -> list[tuple[str, ...]]:
    """The checksums of the result, each time that one is there."""
    seen = []
    names = ("manifest.json", "metrics.json", "report.html")
    together.wait()
    while not ended.wait(0.5):
        if storage.exists(published):
            seen.append(tuple(storage.sha256(f"{published}/{name}") for name in names))
    return [*seen, tuple(storage.sha256(f"{published}/{name}") for name in names)]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
