"""One stage of the fuzzer, in a process of its own: atheris never gives its process back.

    python -m tests.fuzz.stage parser --frames 1000 --counts counts.json -seed=1

Arguments that this does not know go to libFuzzer: a file among them is played once, as when a
crash is to be seen again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import sys
import time
import warnings
from collections import Counter
from functools import partial
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=[
        *("distkeras.codecs", "distkeras.messages", "distkeras.limits", "distkeras.server"),
        "distkeras.transport",
    ]
):
    from distkeras.codecs import CODECS
    from tests.fuzz.parser import Parser
    from tests.fuzz.target import Target

#: What each input starts with: nothing known, so that a crash is seen again from its input alone.
STAGES = {"parser": partial(Parser, odds=8), "server": partial(Target, odds=16)}
#: A server for each codec that loses something.
STAGES |= {
    name: partial(Target, odds=16, codec=make()) for name, make in CODECS.items() if name != "none"
}


class Bytes:
    """Choices out of the fuzzer's bytes.

    Its inputs are full of zeros and of the same few bytes. Were they taken as they are, most frames
    would be alike; so each is mixed with its place, and one byte still changes one choice.
    """

    def __init__(self, data: bytes) -> None:
        self._provider = atheris.FuzzedDataProvider(data)
        self._place = 0

    def below(self, count: int) -> int:
        if not self._provider.remaining_bytes():
            return 0
        self._place += 1
        drawn = self._provider.ConsumeIntInRange(0, 2**16 - 1)
        return ((drawn * 40_503 + self._place * 25_717) % 2**16) * count >> 16

    def data(self, count: int) -> bytes:
        return self._provider.ConsumeBytes(count)


class Stage:
    """Plays inputs until enough frames were seen.

    Args:
        name: of the stage.
        frames: that many.
        counts: the file that then tells what became of them.
    """

    def __init__(self, name: str, frames: int, counts: Path | None) -> None:
        self._target = STAGES[name]
        self._frames = frames
        self._file = counts
        self._counts: Counter[str] = Counter()
        self._inputs = 0
        self._started = time.monotonic()

    def play(self, data: bytes) -> None:
        """One input: a server of its own, and some connections."""
        choices = Bytes(data)
        with self._target() as target:
            target.play(choices)
            while choices.below(12):
                target.play(choices)
        self._counts.update(target.counts)
        self._inputs += 1
        if self._file is not None and self._counts.total() >= self._frames:
            self._end(self._file)

    def _end(self, file: Path) -> None:
        told = {
            "inputs": self._inputs,
            "frames": self._counts.total(),
            "outcomes": dict(sorted((+self._counts).items())),
            "seconds": round(time.monotonic() - self._started, 1),
            "peak_resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        file.write_text(json.dumps(told))
        os._exit(0)  # libFuzzer takes every exception for a finding, SystemExit too.


def main() -> None:
    """Runs the stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--frames", type=int, default=0)
    parser.add_argument("--counts", type=Path)
    options, others = parser.parse_known_args()
    logging.getLogger("distkeras").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "overflow", RuntimeWarning)
    stage = Stage(options.stage, options.frames, options.counts)
    atheris.Setup([sys.argv[0], *others], stage.play)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
