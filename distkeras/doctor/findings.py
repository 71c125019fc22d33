"""What a check finds: one line for the user."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Finding", "Status", "failed", "ok", "skipped", "warning", "worst"]


class Status(Enum):
    """How it went; from the best to the worst."""

    SKIPPED = "skipped"
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        status: how it went.
        found: what was found.
        remedy: what to do; empty where nothing is to be done.
    """

    status: Status
    found: str
    remedy: str = ""

    def line(self, name: str) -> str:
        """The line for the check of this name."""
        text = self.found + (f": {self.remedy}" if self.remedy else "")
        return " ".join(f"{self.status.value:<8} {name:<12} {text}".splitlines())


def ok(found: str) -> Finding:
    """Nothing to do."""
    return Finding(Status.OK, found)


def warning(found: str, remedy: str = "") -> Finding:
    """A training works, or may not; somebody should know."""
    return Finding(Status.WARNING, found, remedy)


def failed(found: str, remedy: str = "") -> Finding:
    """A training will not work."""
    return Finding(Status.FAILED, found, remedy)


def skipped(found: str) -> Finding:
    """It could not be looked at, or there is nothing to look at."""
    return Finding(Status.SKIPPED, found)


def worst(findings: list[Finding]) -> Finding:
    """Those of the worst status as one, in their order."""
    order = list(Status)
    status = max((finding.status for finding in findings), key=order.index)
    chosen = [finding for finding in findings if finding.status is status]
    remedies = dict.fromkeys(finding.remedy for finding in chosen if finding.remedy)
    return Finding(status, "; ".join(one.found for one in chosen), "; ".join(remedies))
