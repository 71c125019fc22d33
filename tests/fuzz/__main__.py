"""More than a million frames, found by atheris, against the parser and against a live server.

    python -m tests.fuzz --parsed 850000 --served 120000 --packed 20000

Ends with an error at the first frame that breaks a promise, and keeps the input that did it. What
became of the others goes to ``benchmarks/results/fuzz.json``. The seed is fixed; how far the
fuzzer comes with it still depends on the order in which the server's threads run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import results_file

SEED = 20_260_706
#: Where an input is kept that breaks a promise.
FINDINGS = Path(".fuzz")
#: Bytes of an input: a few hundred frames.
LONGEST = 4096
#: MiB of resident memory at which libFuzzer gives up.
MEMORY = 512


def run(stage: str, frames: int) -> dict[str, Any]:
    """One stage to its end; returns what became of its frames."""
    FINDINGS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="distkeras-fuzz-") as folder:
        counts = Path(folder, "counts.json")
        command = [sys.executable, "-m", "tests.fuzz.stage", stage, "--frames", str(frames)]
        command += ["--counts", str(counts), f"-seed={SEED}", f"-max_len={LONGEST}"]
        command += [f"-rss_limit_mb={MEMORY}", f"-artifact_prefix={FINDINGS}/{stage}-"]
        command += ["-len_control=0", "-verbosity=0"]  # Long ones from the start.
        ran = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        if ran.returncode or not counts.exists():
            raise SystemExit(
                f"{ran.stderr}\n{stage}: status {ran.returncode}; see it again with "
                f"{sys.executable} -m tests.fuzz.stage {stage} {FINDINGS}/{stage}-crash-..."
            )
        told: dict[str, Any] = json.loads(counts.read_text())
    return told


def show(stage: str, told: dict[str, Any]) -> None:
    """Prints a stage's figures."""
    print(
        f"{stage}: {told['frames']:,} frames in {told['inputs']:,} inputs, "
        f"{told['seconds']:,.0f} s, at most {told['peak_resident_mib']} MiB"
    )
    for outcome, count in sorted(told["outcomes"].items(), key=lambda pair: -pair[1]):
        print(f"  {count:>10,}  {outcome}")


def main() -> None:
    """Runs all stages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parsed", type=int, default=850_000, help="frames for the parser")
    parser.add_argument("--served", type=int, default=120_000, help="frames for a live server")
    parser.add_argument("--packed", type=int, default=20_000, help="frames for each other codec")
    options = parser.parse_args()
    stages = {}
    asked = {"parser": options.parsed, "server": options.served}
    asked |= dict.fromkeys(("bfloat16", "int8", "top-k"), options.packed)
    for stage, frames in asked.items():
        stages[stage] = run(stage, frames)
        show(stage, stages[stage])
    total = sum(told["frames"] for told in stages.values())
    print(f"{total:,} frames, and none of them did what it should not")
    versions = {"atheris": metadata.version("atheris")}
    results_file.write(
        "fuzz", {"seed": SEED, "frames": total, "stages": stages, "fuzzer": versions}
    )


if __name__ == "__main__":
    main()
