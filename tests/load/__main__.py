"""Two hundred workers on one server for ten minutes: nothing grows, and every window is there.

    python -m tests.load --seconds 600

Prints the server's memory, descriptors and threads over the time, writes them to
``benchmarks/results/soak.json``, and ends with an error if a promise was broken.
"""

from __future__ import annotations

import argparse
import statistics

from benchmarks import results_file
from tests.load.soak import Load, Outcome, Sample, soak

#: Lines of the table, and samples in the file.
LINES = 20


class Told:
    """Prints a sample now and then.

    Args:
        every: seconds between two lines.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self._last = Sample(0.0, 0, 0.0, 0, 0)

    def line(self, sample: Sample) -> None:
        """Prints the sample if it is time."""
        seconds = sample.seconds - self._last.seconds
        if seconds < self._every * 0.9:
            return
        rate = (sample.windows - self._last.windows) / seconds
        self._last = sample
        print(
            f"{sample.seconds:>7.0f} s {sample.windows:>10,} windows {rate:>7,.0f} /s "
            f"{sample.resident_mib:>7.1f} MiB {sample.descriptors:>5} descriptors "
            f"{sample.threads:>5} threads",
            flush=True,
        )


def figures(load: Load, outcome: Outcome) -> dict[str, object]:
    """What is written down."""
    samples, sent = outcome.samples, outcome.sent
    return {
        **load._asdict(),
        "windows": samples[-1].windows,
        "attempts": sum(one.attempts for one in sent),
        "longest_exchange_ms": {
            "median_worker": round(1000 * statistics.median(one.longest for one in sent), 1),
            "slowest_worker": round(1000 * max(one.longest for one in sent), 1),
        },
        "samples": [one._asdict() for one in samples[:: max(1, len(samples) // LINES)]],
        "wrong": outcome.wrong,
    }


def main() -> None:
    """Runs the soak."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two windows")
    options = parser.parse_args()
    load = Load(options.workers, options.seconds, options.pause)
    outcome = soak(load, Told(load.seconds / LINES).line)
    if outcome.wrong:
        raise SystemExit("\n".join(outcome.wrong))
    results_file.write("soak", figures(load, outcome))
    print(f"{outcome.samples[-1].windows:,} windows, each merged once; nothing grew")


if __name__ == "__main__":
    main()
