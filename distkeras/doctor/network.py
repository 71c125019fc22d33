"""Executors and the driver: they reach it, and their clocks agree."""

from __future__ import annotations

from distkeras.doctor.case import Case
from distkeras.doctor.facts import Executor
from distkeras.doctor.findings import Finding, failed, ok, skipped, warning

__all__ = ["check_clocks", "check_connection"]

#: Seconds that clocks may differ: from the first on, times in logs and histories mislead; from
#: the second on, Kerberos tickets and certificates may be refused.
MISLEADING, REFUSED = 2.0, 120.0
SET_CLOCKS = "have NTP (chrony, systemd-timesyncd) set the clocks of all hosts"


def check_connection(case: Case) -> Finding:
    """Each executor connects to the listener, and both prove that they know the run's token."""
    if case.address is None or case.executors is None:
        return skipped("the executors did not answer")
    place = f"{case.address[0]}:{case.address[1]}"
    failures = {one.host: one.problem for one in case.executors if one.problem}
    if not failures:
        return ok(f"all executors reach {place}, token and all")
    told = "; ".join(f"{host}: {problem}" for host, problem in sorted(failures.items()))
    return failed(
        f"not all executors reach {place}: {told}",
        "open the port for them, name open ones with spark.distkeras.port, or set "
        "spark.driver.host (docs/clusters.md)",
    )


def check_clocks(case: Case) -> Finding:
    """As far as can be told from how long a question and its answer took."""
    known = [one for one in case.executors or () if one.skew is not None]
    if not known:
        return skipped("no executor has reached the driver")
    worst = max(known, key=_least)
    text = f"{worst.host} is {_told(worst)} the driver"
    if _least(worst) > REFUSED:
        return failed(text, SET_CLOCKS)
    if _least(worst) > MISLEADING:
        return warning(text, SET_CLOCKS)
    return ok(f"executors are within {max(map(_most, known)):.3f} s of the driver")


def _least(one: Executor) -> float:
    """The smallest difference that it can be."""
    return max(0.0, abs(one.skew or 0.0) - one.uncertainty)


def _most(one: Executor) -> float:
    return abs(one.skew or 0.0) + one.uncertainty


def _told(one: Executor) -> str:
    skew = one.skew or 0.0
    return f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'}"
