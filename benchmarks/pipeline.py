"""How good and how quick is the pipeline that ``make run`` runs?

Runs ``configs/magic.toml`` from nothing, once for each seed (of the split and of the training), as
``luigi`` in a process of its own, and again when there is nothing to do. Prints the
accuracy on the test split and the seconds of each run.

    python benchmarks/pipeline.py --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import results_file
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent


def run(seed: int, output: str) -> float:
    """Runs the pipeline for a seed; seconds from start to end."""
    command = [sys.executable, "-m", "luigi", "--module", "tasks", "Evaluate"]
    command += ["--config", "configs/magic.toml", "--set", f"output={output}"]
    command += ["--set", f"preprocess.split.seed={seed}", "--set", f"train.seed={seed}"]
    started = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    return round(time.monotonic() - started, 2)


def measured(output: Path) -> dict[str, Any]:
    """What the one finished run below a directory found, and where its time went."""
    (metrics,) = output.glob("Evaluate/*/metrics.json")
    manifests = (next(output.glob(f"{task}/*/manifest.json")) for task in ("Preprocess", "Train"))
    found = json.loads(metrics.read_text())
    phases = {
        name: seconds
        for manifest in manifests
        for name, seconds in json.loads(manifest.read_text())["task"]["phases"].items()
    }
    return {"accuracy": found["accuracy"], "roc_auc": found["roc_auc"], "phases": phases}


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    table = Table("seed", "accuracy", "ROC AUC", "seconds", "seconds again")
    runs = []
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="distkeras-pipeline-") as folder:
            first = run(seed, folder)
            again = run(seed, folder)
            figures = {"seed": seed, "seconds": first, "seconds_again": again}
            figures |= measured(Path(folder))
        runs.append(figures)
        scores = f"{figures['accuracy']:.4f}", f"{figures['roc_auc']:.4f}"
        table.add_row(str(seed), *scores, f"{first:.1f}", f"{again:.1f}")
    Console().print(table)
    results_file.write("pipeline", {"config": "configs/magic.toml", "runs": runs})


if __name__ == "__main__":
    main()
