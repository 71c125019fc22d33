"""Whose turn it is."""

from __future__ import annotations

from collections.abc import Sequence

from distkeras.punchcard.jobs import Job

__all__ = ["turns"]


def turns(live: Sequence[Job], most: int) -> list[Job]:
    """The jobs that begin now.

    A job begins when no other one of the same secret runs; the earlier submitted comes first.

    Args:
        live: what runs, and at least the first of each secret that waits, in the order of
            submission.
        most: jobs that run at once over all.
    """
    running = [job.secret for job in live if job.state == "running"]
    busy, free = set(running), most - len(running)
    begin: list[Job] = []
    for job in live:
        if len(begin) < free and job.state == "queued" and job.secret not in busy:
            busy.add(job.secret)
            begin.append(job)
    return begin
